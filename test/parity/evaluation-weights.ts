import type { MeasureWeights } from "../../src/evaluation/weights.ts";
import { measureWeights } from "../../src/evaluation/weights.ts";
import { constant, type Value } from "../../src/graph/value.ts";
import { float32, type Tensor } from "../../src/tensor/tensor.ts";
import { formula, uniform } from "./formula.ts";

/** Weights of networks that measure, by their names; `scripts/fixtures/evaluation-networks.py` computes the same. */
export function measureWeight(name: string, shape: readonly number[]): Tensor<"float32"> {
  const values = formula(name, shape);
  if (name.startsWith("lin"))
    return float32(
      shape,
      values.data.map((x) => Math.abs(x) / 4),
    );
  const count = values.data.length;
  if (name.endsWith("running_mean"))
    return float32(
      shape,
      Float32Array.from(uniform(name, count), (u) => 0.1 * u),
    );
  if (name.endsWith("running_var"))
    return float32(
      shape,
      Float32Array.from(uniform(name, count), (u) => 1 + 0.2 * u),
    );
  if (shape.length < 2) return values;
  const factor = Math.fround(Math.SQRT2);
  return float32(
    shape,
    values.data.map((x) => x * factor),
  );
}

/** The weights that a network asks for when it is built, by formula. */
export function weightsFor(
  file: string,
  build: (source: (name: string, shape: readonly number[]) => Value) => unknown,
): Promise<MeasureWeights> {
  const tensors = new Map<string, Tensor<"float32">>();
  build((name, shape) => {
    const tensor = tensors.get(name) ?? measureWeight(name, shape);
    tensors.set(name, tensor);
    return constant(tensor);
  });
  return measureWeights(file, tensors);
}

/** A picture of bytes by formula, from 0 to 255 over `divisor`, as the networks' users have it: [-1, 1]. */
export function formulaPicture(name: string, height: number, width: number, divisor = 1): Tensor<"float32"> {
  const bytes = uniform(name, 3 * height * width).map((u) => Math.floor(Math.floor((u + 1) * 128) / divisor));
  return float32(
    [3, height, width],
    Float32Array.from(bytes, (x) => x / 127.5 - 1),
  );
}
