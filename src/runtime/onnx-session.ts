import * as ort from "#ort";
import { RuntimeFailure } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import type { DataType, Storage, Tensor } from "../tensor/tensor.ts";
import type { CompileOptions, RunOptions, Session } from "./runtime.ts";
import { checkInto, writeInto } from "./write-into.ts";

/** What a failure of the runtime says, on one line. */
export const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");

/** Types that the runtime holds in an array of ours without conversion. */
const carried: ReadonlySet<DataType> = new Set([
  "float32",
  "float16",
  "float64",
  "int64",
  "int32",
  "uint8",
  "int8",
  "bool",
]);

export function toOrt(name: string, tensor: Tensor): ort.Tensor {
  if (!carried.has(tensor.type))
    throw new RuntimeFailure(
      `The input "${name}" has the type ${tensor.type}, which the runtime does not take; convert it to float32 first.`,
    );
  return new ort.Tensor(tensor.type as "float32", tensor.data as Float32Array, tensor.shape);
}

function fromOrt(value: ort.Tensor): Tensor {
  const data: unknown = value.data;
  // Newer engines give float16 as an array of its own; its bits are what this project holds.
  const bits =
    value.type === "float16" && !(data instanceof Uint16Array) && ArrayBuffer.isView(data)
      ? new Uint16Array(data.buffer, data.byteOffset, value.size)
      : data;
  return { type: value.type as DataType, shape: value.dims, data: bits as Storage[DataType] };
}

/** Results of a model's preparations by name, which its session is given at each run. */
export type Prepared = ReadonlyMap<string, ort.Tensor>;

/** What a session is made of; the parts of one that is replaced may serve the next. */
export interface SessionParts {
  readonly model: OnnxModel;
  readonly options: CompileOptions;
  readonly native: ort.InferenceSession;
  readonly prepared: Prepared;
}

export class OnnxSession implements Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  private parts: SessionParts | undefined;
  private readonly forget: (session: OnnxSession) => void;

  constructor(parts: SessionParts, forget: (session: OnnxSession) => void) {
    this.inputs = parts.model.inputs;
    this.outputs = parts.model.outputs;
    this.parts = parts;
    this.forget = forget;
  }

  /** What it is made of; undefined when it was disposed. */
  get made(): SessionParts | undefined {
    return this.parts;
  }

  /** Disposes of the session but for its parts; the caller frees them. Undefined when it was disposed. */
  takeApart(): SessionParts | undefined {
    const { parts } = this;
    this.parts = undefined;
    this.forget(this);
    return parts;
  }

  async run(
    inputs: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Readonly<Record<string, Tensor>>> {
    options.signal?.throwIfAborted();
    const { parts } = this;
    if (parts === undefined) throw new RuntimeFailure("This session was disposed; compile the graph again to run it.");
    const feeds: Record<string, ort.Tensor> = Object.fromEntries(parts.prepared);
    for (const name of this.inputs) {
      const tensor = inputs[name];
      if (tensor === undefined)
        throw new RuntimeFailure(`The graph's input "${name}" is missing; it takes ${this.inputs.join(", ")}.`);
      feeds[name] = toOrt(name, tensor);
    }
    const fetches: Record<string, ort.Tensor | null> = {};
    for (const name of this.outputs) {
      const target = options.into?.[name];
      if (target !== undefined) checkInto(name, target);
      fetches[name] = null;
    }
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      results = await parts.native.run(feeds, fetches);
    } catch (error) {
      throw new RuntimeFailure(`The runtime stopped with: ${sentence(error)}`, { cause: error });
    }
    const read: Record<string, Tensor> = {};
    for (const name of this.outputs) {
      const value = fromOrt(results[name] as ort.Tensor);
      read[name] = writeInto(name, value, options.into?.[name]);
    }
    return read;
  }

  async dispose(): Promise<void> {
    await this.takeApart()?.native.release();
  }
}
