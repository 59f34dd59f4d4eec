import { FormatError } from "../errors.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { bytesPerElement, type DataType, elementCount, type Storage, type Tensor } from "../tensor/tensor.ts";
import type { ByteSource } from "./byte-source.ts";
import {
  headerLength,
  isDataType,
  lengthBytes,
  maxHeaderBytes,
  parseSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  storedTypeName,
} from "./safetensors-header.ts";

/**
 * Reads the header of a safetensors file, and nothing else of it.
 * @throws FormatError with one sentence on what is wrong.
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const start = await source.read(0, Math.min(lengthBytes, source.size));
  const length = headerLength(start, source.size, source.name);
  return parseSafetensorsHeader(await source.read(0, lengthBytes + length), source.size, source.name);
}

/**
 * Reads one tensor by range, in the file's element type.
 * @throws FormatError when the file has no such tensor, or one of a type that tensors do not hold.
 */
export async function readTensor(source: ByteSource, header: SafetensorsHeader, name: string): Promise<Tensor> {
  const entry = header.tensors.get(name);
  if (entry === undefined) throw new FormatError(`${source.name}: there is no tensor "${name}".`);
  return toTensor(await source.read(entry.begin, entry.end - entry.begin), entry, source.name);
}

/**
 * Reads one tensor by range as float32: exact from the 16-bit types, rounded from float64.
 * @throws FormatError when the file has no such tensor, or one of a type that tensors do not hold.
 */
export async function readFloat32(
  source: ByteSource,
  header: SafetensorsHeader,
  name: string,
): Promise<Tensor<"float32">> {
  return toFloat32(await readTensor(source, header, name));
}

/**
 * Reads all tensors of a whole file in memory; their data may share its memory.
 * @throws FormatError with one sentence on what is wrong.
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): Map<string, Tensor> {
  const { tensors } = parseSafetensorsHeader(bytes, bytes.length, name);
  const decoded = new Map<string, Tensor>();
  for (const entry of tensors.values()) {
    decoded.set(entry.name, toTensor(bytes.subarray(entry.begin, entry.end), entry, name));
  }
  return decoded;
}

/**
 * A safetensors file of these tensors.
 *
 * Wide element types come first and names in rising order, so that the same tensors give the same bytes and each tensor
 * lies at a multiple of its element's size.
 * @throws FormatError when a shape and its data disagree, or a tensor is named `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const named: [string, Tensor][] = isMap(tensors) ? [...tensors] : Object.entries(tensors);
  named.sort(([nameA, a], [nameB, b]) => bytesPerElement[b.type] - bytesPerElement[a.type] || compare(nameA, nameB));
  const entries: [string, unknown][] = [];
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  if (sortedMetadata.length > 0) entries.push(["__metadata__", Object.fromEntries(sortedMetadata)]);
  let dataBytes = 0;
  for (const [name, { type, shape, data }] of named) {
    if (name === "__metadata__") throw new FormatError('a tensor cannot be named "__metadata__"; rename it.');
    if (data.length !== elementCount(shape)) {
      throw new FormatError(`tensor "${name}" of shape [${shape.join(", ")}] holds ${data.length} elements.`);
    }
    const end = dataBytes + data.byteLength;
    entries.push([name, { dtype: storedTypeName(type), shape, data_offsets: [dataBytes, end] }]);
    dataBytes = end;
  }
  // Written entry by entry: an object would move names that look like numbers to the front.
  const json = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const head = new TextEncoder().encode(json);
  const padded = Math.ceil(head.length / 8) * 8;
  if (padded > maxHeaderBytes) throw new FormatError(`the header of this file would take ${padded} bytes, too many.`);
  const bytes = new Uint8Array(lengthBytes + padded + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(head, lengthBytes);
  bytes.fill(0x20, lengthBytes + head.length, lengthBytes + padded);
  let at = lengthBytes + padded;
  for (const [, { data }] of named) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** The array of each element type over bytes, copied first where they do not lie at a multiple of its size. */
const views: { readonly [T in DataType]: (buffer: ArrayBufferLike, offset: number, length: number) => Storage[T] } = {
  float64: (buffer, offset, length) => new Float64Array(buffer, offset, length),
  float32: (buffer, offset, length) => new Float32Array(buffer, offset, length),
  float16: (buffer, offset, length) => new Uint16Array(buffer, offset, length),
  bfloat16: (buffer, offset, length) => new Uint16Array(buffer, offset, length),
  int64: (buffer, offset, length) => new BigInt64Array(buffer, offset, length),
  int32: (buffer, offset, length) => new Int32Array(buffer, offset, length),
  uint8: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
  int8: (buffer, offset, length) => new Int8Array(buffer, offset, length),
  bool: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
};

function toTensor(bytes: Uint8Array, entry: SafetensorsEntry, file: string): Tensor {
  const { type, shape, name } = entry;
  if (!isDataType(type)) {
    throw new FormatError(`${file}: tensor "${name}" is of type ${storedTypeName(type)}, which cannot be used here.`);
  }
  // Not slice(), which copies nothing where the bytes are a Node Buffer.
  const aligned = bytes.byteOffset % bytesPerElement[type] === 0 ? bytes : new Uint8Array(bytes);
  return { type, shape, data: views[type](aligned.buffer, aligned.byteOffset, elementCount(shape)) };
}

function isMap(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
): tensors is ReadonlyMap<string, Tensor> {
  return tensors instanceof Map;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
