import { FormatError } from "../errors.ts";
import { bytesPerElement, type DataType, elementCount, type Storage, type Tensor } from "../tensor/tensor.ts";
import type { ByteSource } from "./byte-source.ts";
import { shorten } from "./json.ts";
import { isDataType, type SafetensorsEntry, storedBytes } from "./safetensors-header.ts";
import { gather, spannedElements } from "./strides.ts";
import { widen } from "./widen.ts";

/** Where one tensor lies in a file of any format; `begin` and `end` count bytes from the start of the file. */
export interface TensorEntry extends SafetensorsEntry {
  /**
   * How many elements apart neighbours along each axis lie, where the elements do not simply follow each other; `begin` to
   * `end` then span all that the tensor touches. Absent for nearly all tensors: their bytes can be used where they lie.
   */
  readonly strides?: readonly number[];
}

/**
 * Reads one tensor by range, and nothing else. Types that no tensor holds are widened without loss: 8-bit floats to float16,
 * int16 and uint16 to int32, uint32 and uint64 to int64.
 * @throws FormatError when the range leaves the file, or a uint64 does not fit in int64
 */
export async function readEntry(source: ByteSource, entry: TensorEntry): Promise<Tensor> {
  return tensorFromBytes(await source.read(entry.begin, entry.end - entry.begin), entry, source.name);
}

/**
 * The tensor of the bytes from an entry's `begin` to its `end`; its data may share their memory. `file` is for errors.
 * @throws FormatError when the bytes are too few or too many, or a uint64 does not fit in int64
 */
export function tensorFromBytes(bytes: Uint8Array, entry: TensorEntry, file: string): Tensor {
  const { type, shape, strides, name } = entry;
  const place = `${file}: tensor "${shorten(name)}"`;
  const needed = (strides === undefined ? elementCount(shape) : spannedElements(shape, strides)) * storedBytes(type);
  if (bytes.length !== needed) throw new FormatError(`${place} takes ${needed} bytes, but ${bytes.length} were read.`);
  const dense = strides === undefined ? bytes : gather(bytes, shape, strides, storedBytes(type));
  if (!isDataType(type)) return widen(dense, type, shape, place);
  // Not slice(), which copies nothing where the bytes are a Node Buffer.
  const aligned = dense.byteOffset % bytesPerElement[type] === 0 ? dense : new Uint8Array(dense);
  return { type, shape, data: views[type](aligned.buffer, aligned.byteOffset, elementCount(shape)) };
}

/** The array of each element type over bytes that lie at a multiple of its size. */
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
