import { storedBytes } from "../../../formats/safetensors-header.ts";
import { rowMajorStrides, spannedElements } from "../../../formats/strides.ts";
import type { TensorEntry } from "../../../formats/tensor-entry.ts";

/** Where a parameter lies in a file of the original names: the tensor's key, or which part of that tensor it is. */
export interface OriginalTensor {
  readonly key: string;
  /** One of three equal parts along the first axis: 0, 1 or 2. */
  readonly third?: number;
  /** The matrix has its axes the other way round. */
  readonly transposed?: boolean;
}

/** The part of a tensor that a parameter is, found and not read; undefined when the tensor cannot be parted so. */
export function partOf(entry: TensorEntry, { third, transposed }: OriginalTensor): TensorEntry | undefined {
  if (third !== undefined) return thirdOf(entry, third);
  return transposed === true ? transposedOf(entry) : entry;
}

function thirdOf(entry: TensorEntry, third: number): TensorEntry | undefined {
  const [rows, ...inner] = entry.shape;
  if (rows === undefined || rows % 3 !== 0) return undefined;
  const shape = [rows / 3, ...inner];
  const strides = entry.strides ?? rowMajorStrides(entry.shape);
  const size = storedBytes(entry.type);
  const begin = entry.begin + (third * rows * strides[0]! * size) / 3;
  return { ...entry, shape, begin, end: begin + spannedElements(shape, strides) * size };
}

function transposedOf(entry: TensorEntry): TensorEntry | undefined {
  if (entry.shape.length !== 2) return undefined;
  const strides = entry.strides ?? rowMajorStrides(entry.shape);
  return { ...entry, shape: entry.shape.toReversed(), strides: strides.toReversed() };
}
