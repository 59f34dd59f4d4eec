import { FormatError } from "../errors.ts";
import { lengthBytes, maxHeaderBytes, type StoredType, storedBytes, storedTypeName } from "./safetensors-header.ts";
import { claimedElements } from "./strides.ts";

/** What a file's header says of a tensor before its place. */
export interface TensorDescription {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
}

/** A tensor that is fetched when its turn comes to be written. */
export interface PendingTensor extends TensorDescription {
  /** Its elements, little-endian and row-major. */
  bytes(): Promise<Uint8Array>;
}

/** A safetensors file before its tensors' bytes. */
export interface SafetensorsLayout<T extends TensorDescription> {
  /** All bytes before the first tensor. */
  readonly head: Uint8Array;
  /** The tensors in the order in which they follow. */
  readonly order: readonly T[];
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * Lays a safetensors file out: wide element types first and names in rising order, so that the same tensors give the same
 * bytes and each tensor lies at a multiple of its element's size.
 * @throws FormatError when a name is `__metadata__` or given twice, or the header would be too long
 */
export function layOut<T extends TensorDescription>(
  tensors: readonly T[],
  metadata: Readonly<Record<string, string>>,
): SafetensorsLayout<T> {
  const order = tensors.toSorted((a, b) => storedBytes(b.type) - storedBytes(a.type) || compare(a.name, b.name));
  const entries = new Map<string, unknown>();
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  if (sortedMetadata.length > 0) entries.set("__metadata__", Object.fromEntries(sortedMetadata));
  let at = 0;
  for (const { name, type, shape } of order) {
    if (name === "__metadata__") throw new FormatError('a tensor cannot be named "__metadata__"; rename it.');
    if (entries.has(name)) throw new FormatError(`two tensors are named "${name}"; rename one.`);
    const elements = claimedElements(shape);
    if (elements === undefined) throw new FormatError(`tensor "${name}" of shape [${shape.join(", ")}] is too large.`);
    const end = at + elements * storedBytes(type);
    entries.set(name, { dtype: storedTypeName(type), shape, data_offsets: [at, end] });
    at = end;
  }
  // Written entry by entry: an object would move names that look like numbers to the front.
  const json = `{${Array.from(entries, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  if (padded > maxHeaderBytes) throw new FormatError(`the header of this file would take ${padded} bytes, too many.`);
  const head = new Uint8Array(lengthBytes + padded).fill(0x20, lengthBytes);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(text, lengthBytes);
  return { head, order, size: head.length + at };
}

/**
 * A safetensors file piece by piece, so that it is never in memory whole: its head, then each tensor as it is fetched.
 * @throws FormatError when a tensor's bytes are not as many as its shape and type say
 */
export async function* safetensorsPieces(
  tensors: readonly PendingTensor[],
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array> {
  const { head, order } = layOut(tensors, metadata);
  yield head;
  for (const tensor of order) {
    const bytes = await tensor.bytes();
    const expected = claimedElements(tensor.shape)! * storedBytes(tensor.type);
    if (bytes.length !== expected) {
      throw new FormatError(`tensor "${tensor.name}" takes ${expected} bytes, but ${bytes.length} were given.`);
    }
    yield bytes;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
