import { ShapeError } from "../errors.ts";

/** The array that holds the elements of each type; float16 and bfloat16 are held as their bits. */
export interface Storage {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  bool: Uint8Array;
}

export type DataType = keyof Storage;

/** A dense array in row-major order with its shape; `[]` is a scalar. */
export interface Tensor<T extends DataType = DataType> {
  readonly type: T;
  readonly shape: readonly number[];
  readonly data: Storage[T];
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const n of shape) count *= n;
  return count;
}

/** Bytes that one element takes. */
export const bytesPerElement: Readonly<Record<DataType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
};

/**
 * Joins data and shape.
 * @throws ShapeError when the number of elements is not the product of the shape.
 */
export function tensor<T extends DataType>(type: T, shape: readonly number[], data: Storage[T]): Tensor<T> {
  if (data.length !== elementCount(shape)) {
    throw new ShapeError("tensor", `${elementCount(shape)} elements for [${shape.join(", ")}]`, [[data.length]]);
  }
  return { type, shape, data };
}

/** A float32 tensor from numbers. */
export function float32(shape: readonly number[], data: Float32Array | readonly number[]): Tensor<"float32"> {
  return tensor("float32", shape, data instanceof Float32Array ? data : Float32Array.from(data));
}

/** An int64 tensor from whole numbers. */
export function int64(shape: readonly number[], data: readonly number[]): Tensor<"int64"> {
  return tensor("int64", shape, BigInt64Array.from(data, BigInt));
}

/** A float32 tensor filled with one value (0 unless told). */
export function filled(shape: readonly number[], value = 0): Tensor<"float32"> {
  return { type: "float32", shape, data: new Float32Array(elementCount(shape)).fill(value) };
}
