import { FormatError } from "../errors.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { bytesPerElement, elementCount, type Tensor } from "../tensor/tensor.ts";
import type { ByteSource } from "./byte-source.ts";
import {
  headerLength,
  lengthBytes,
  maxHeaderBytes,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  storedTypeName,
} from "./safetensors-header.ts";
import { readEntry, tensorFromBytes } from "./tensor-entry.ts";

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
 * Reads one tensor by range, in the file's element type; types that no tensor holds are widened without loss (`readEntry`).
 * @throws FormatError when the file has no such tensor.
 */
export async function readTensor(source: ByteSource, header: SafetensorsHeader, name: string): Promise<Tensor> {
  const entry = header.tensors.get(name);
  if (entry === undefined) throw new FormatError(`${source.name}: there is no tensor "${name}".`);
  return readEntry(source, entry);
}

/**
 * Reads one tensor by range as float32: exact from floats of 8 and 16 bits, rounded from float64 and wide integers.
 * @throws FormatError when the file has no such tensor.
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
    decoded.set(entry.name, tensorFromBytes(bytes.subarray(entry.begin, entry.end), entry, name));
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

function isMap(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
): tensors is ReadonlyMap<string, Tensor> {
  return tensors instanceof Map;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
