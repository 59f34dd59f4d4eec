import { FormatError } from "../errors.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import type { ByteSource } from "./byte-source.ts";
import { headerLength, lengthBytes, parseSafetensorsHeader, type SafetensorsHeader } from "./safetensors-header.ts";
import { layOut } from "./safetensors-layout.ts";
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
 * A safetensors file of these tensors; the same tensors and metadata give the same bytes.
 * @throws FormatError when a shape and its data disagree, or a tensor is named `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const named: [string, Tensor][] = isMap(tensors) ? [...tensors] : Object.entries(tensors);
  for (const [name, { shape, data }] of named) {
    if (data.length === elementCount(shape)) continue;
    throw new FormatError(`tensor "${name}" of shape [${shape.join(", ")}] holds ${data.length} elements.`);
  }
  const { head, order, size } = layOut(
    named.map(([name, tensor]) => ({ name, ...tensor })),
    metadata,
  );
  const bytes = new Uint8Array(size);
  bytes.set(head);
  let at = head.length;
  for (const { data } of order) {
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
