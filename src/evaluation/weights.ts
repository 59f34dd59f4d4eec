import { CheckpointError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { readLocated, unwrapStateDict } from "../formats/tensor-file.ts";
import { memoryParameters, type Parameters } from "../models/checkpoint/parameters.ts";
import { toFloat32 } from "../tensor/convert.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Weights of a network that measures, in memory. */
export interface MeasureWeights {
  /** The file that they came from, for errors. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, Tensor<"float32">>;
  /** Twelve hexadecimal digits that follow from names and numbers alone, whatever format they were stored in. */
  readonly fingerprint: string;
}

const countsBatches = (name: string): boolean => name.endsWith("num_batches_tracked");

/**
 * Reads the weights of a network that measures from a safetensors file or one that torch wrote.
 * @throws FormatError when it is neither, CheckpointError when it holds no weights
 */
export async function readMeasureWeights(source: ByteSource): Promise<MeasureWeights> {
  const file = unwrapStateDict(await openTensorFile(source));
  const tensors = new Map<string, Tensor<"float32">>();
  for (const [name, located] of file.tensors) {
    if (!countsBatches(name)) tensors.set(name, toFloat32(await readLocated(located)));
  }
  return measureWeights(source.name, tensors);
}

/** Weights that are in memory already. @throws CheckpointError when there are none */
export async function measureWeights(
  file: string,
  tensors: ReadonlyMap<string, Tensor<"float32">>,
): Promise<MeasureWeights> {
  if (tensors.size === 0) throw new CheckpointError(`${file}: there are no weights in it.`);
  return { file, tensors, fingerprint: await fingerprintOf(tensors) };
}

/** The weights as parameters; `unused` of them tells what a network did not ask for. */
export function measureParameters({ file, tensors }: MeasureWeights): Parameters {
  return memoryParameters(tensors, file);
}

async function fingerprintOf(tensors: ReadonlyMap<string, Tensor<"float32">>): Promise<string> {
  const lines: string[] = [];
  for (const [name, { shape, data }] of tensors) {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    lines.push(`${name} ${shape.join("x")} ${await digest(bytes)}`);
  }
  return (await digest(new TextEncoder().encode(lines.sort().join("\n")))).slice(0, 12);
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
