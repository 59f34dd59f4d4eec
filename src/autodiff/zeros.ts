import { expand } from "../graph/ops/structure.ts";
import { constant, type Value } from "../graph/value.ts";
import type { DataType } from "../tensor/tensor.ts";

const zeroScalar = (type: DataType): Value => {
  if (type === "float64") return constant({ type, shape: [], data: Float64Array.of(0) });
  if (type === "float16" || type === "bfloat16") return constant({ type, shape: [], data: Uint16Array.of(0) });
  return constant({ type: "float32", shape: [], data: Float32Array.of(0) });
};

/** Zeros of a floating-point type, written as one element that is copied, so that large ones weigh nothing in a model. */
export function zeros(type: DataType, shape: readonly number[]): Value {
  return expand(zeroScalar(type), shape);
}
