import { add, mul } from "../graph/ops/arithmetic.ts";
import { input, type Value } from "../graph/value.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";

/** A coefficient per picture as a graph input `[1, batch, 1, 1]`: one graph serves every timestep and every guidance. */
export function coefficient(name: string, batch: number): Value {
  return input(name, [1, batch, 1, 1]);
}

/** Values for a coefficient, one per picture. */
export function coefficientTensor(values: readonly number[]): Tensor<"float32"> {
  return float32([1, values.length, 1, 1], values);
}

/** a x + b y with coefficients per picture. */
export function mix(a: Value, x: Value, b: Value, y: Value): Value {
  return add(mul(x, a), mul(y, b));
}
