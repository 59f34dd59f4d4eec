import * as ort from "#ort";
import { RuntimeFailure } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import type { DataType, Storage, Tensor } from "../tensor/tensor.ts";
import type { CompileOptions, Device, RunOptions, Runtime, Session } from "./runtime.ts";
import { checkInto, writeInto } from "./write-into.ts";

export interface OnnxRuntimeOptions {
  readonly device: Device;
  /** Threads inside one operation; 0 lets the runtime take one per core. */
  readonly threads: number;
  /** Copies constants into the layout that its kernels prefer: faster, for as much memory again. */
  readonly prepack: boolean;
  /** Passes of the graph optimiser that must not run, by the runtime's own names. */
  readonly disabledOptimizers: readonly string[];
}

export const onnxRuntimeDefaults: OnnxRuntimeOptions = {
  device: "cpu",
  threads: 0,
  prepack: true,
  disabledOptimizers: [],
};

/** The runtime's name of each device: a browser's `cpu` is WebAssembly. */
const providerOf = (device: Device): string => {
  if (device === "cpu")
    return ort.env.versions.web !== undefined && ort.env.versions.node === undefined ? "wasm" : "cpu";
  return device === "directml" ? "dml" : device;
};

const sentence = (error: unknown): string =>
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

function toOrt(name: string, tensor: Tensor): ort.Tensor {
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

class OnnxSession implements Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  private session: ort.InferenceSession | undefined;
  private readonly forget: (session: OnnxSession) => void;

  constructor(model: OnnxModel, session: ort.InferenceSession, forget: (session: OnnxSession) => void) {
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.session = session;
    this.forget = forget;
  }

  async run(
    inputs: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Readonly<Record<string, Tensor>>> {
    options.signal?.throwIfAborted();
    if (this.session === undefined)
      throw new RuntimeFailure("This session was disposed; compile the graph again to run it.");
    const feeds: Record<string, ort.Tensor> = {};
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
      results = await this.session.run(feeds, fetches);
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
    const session = this.session;
    this.session = undefined;
    this.forget(this);
    await session?.release();
  }
}

/**
 * ONNX Runtime in this thread. A run blocks the thread in Node: programs that must stay responsive use the worker
 * (`node/worker-runtime.ts`), which has the same interface.
 */
export function onnxRuntime(options: Partial<OnnxRuntimeOptions> = {}): Runtime {
  const { device, threads, prepack, disabledOptimizers } = { ...onnxRuntimeDefaults, ...options };
  const open = new Set<OnnxSession>();
  return {
    device,
    async compile(model: OnnxModel, { folder }: CompileOptions = {}): Promise<Session> {
      if (model.files.length > 0 && folder === undefined)
        throw new RuntimeFailure(
          `The model reads ${model.files.join(", ")} in place; say in which folder these files lie.`,
        );
      const session: Record<string, string> = { disable_prepacking: prepack ? "0" : "1" };
      if (folder !== undefined) session["model_external_initializers_file_folder_path"] = folder;
      try {
        const created = await ort.InferenceSession.create(model.bytes, {
          executionProviders: [providerOf(device)],
          graphOptimizationLevel: "all",
          executionMode: "sequential",
          // What goes wrong is thrown; the runtime need not print it too.
          logSeverityLevel: 4,
          ...(model.constants.length > 0 ? { externalData: [...model.constants] } : {}),
          ...(threads > 0 ? { intraOpNumThreads: threads, interOpNumThreads: 1 } : {}),
          extra: {
            session,
            ...(disabledOptimizers.length > 0
              ? { optimization: { disable_specified_optimizers: disabledOptimizers.join(";") } }
              : {}),
          },
        });
        const result = new OnnxSession(model, created, (one) => open.delete(one));
        open.add(result);
        return result;
      } catch (error) {
        throw new RuntimeFailure(`The graph could not be compiled for ${device}: ${sentence(error)}`, { cause: error });
      }
    },
    async dispose(): Promise<void> {
      await Promise.all([...open].map((session) => session.dispose()));
    },
  };
}
