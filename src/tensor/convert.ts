import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";
import type { Tensor } from "./tensor.ts";

/** The element types that weights are stored in. */
export type FloatType = "float64" | "float32" | "float16" | "bfloat16";

/**
 * The tensor in float32, same shape: exact from the 16-bit types and small integers, rounded from float64 and int64.
 *
 * A float32 tensor is returned as it is, not copied.
 */
export function toFloat32(source: Tensor): Tensor<"float32"> {
  return { type: "float32", shape: source.shape, data: float32Data(source) };
}

function float32Data(source: Tensor): Float32Array {
  const { type, data } = source;
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  if (data instanceof Uint16Array) return type === "float16" ? float16ToFloat32(data) : bfloat16ToFloat32(data);
  return Float32Array.from(data);
}

/** The float32 tensor in another float type, same shape, rounded to nearest even; float32 is returned as it is. */
export function fromFloat32<T extends FloatType>(source: Tensor<"float32">, type: T): Tensor<T>;
export function fromFloat32(source: Tensor<"float32">, type: FloatType): Tensor {
  const { shape, data } = source;
  switch (type) {
    case "float32":
      return source;
    case "float64":
      return { type, shape, data: Float64Array.from(data) };
    case "float16":
      return { type, shape, data: float32ToFloat16(data) };
    case "bfloat16":
      return { type, shape, data: float32ToBfloat16(data) };
  }
}
