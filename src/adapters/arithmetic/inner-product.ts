import { AdapterError } from "../../errors.ts";
import { sameShape } from "../../tensor/arithmetic.ts";
import { multiplyTransposed, transposedMultiply } from "../../tensor/linear-algebra/matrix.ts";
import { type LoraModule, loraWeightShape } from "../lora.ts";
import { factorMatrices } from "./low-rank-svd.ts";

/**
 * The sum of the products of two changes' elements, `tr((B1 A1)' (B2 A2)) = sum((B1' B2) * (A1 A2'))`: neither change is made.
 * @throws AdapterError when they change weights of different shape
 */
export function innerProduct(a: LoraModule, b: LoraModule): number {
  const [shape, other] = [loraWeightShape(a), loraWeightShape(b)];
  if (!sameShape(shape, other)) {
    throw new AdapterError(
      `${a.path}: one adapter changes a weight of [${shape.join(", ")}], another of [${other.join(", ")}].`,
    );
  }
  const [first, second] = [factorMatrices(a), factorMatrices(b)];
  const ups = transposedMultiply(first.up, second.up);
  const downs = multiplyTransposed(first.down, second.down);
  let sum = 0;
  for (let i = 0; i < ups.data.length; i++) sum += ups.data[i]! * downs.data[i]!;
  return sum;
}

/**
 * Frobenius norm of the difference of two changes, by inner products: below about 1e-8 of the changes' own norm it is
 * rounding.
 */
export function distance(a: LoraModule, b: LoraModule): number {
  return Math.sqrt(Math.max(innerProduct(a, a) - 2 * innerProduct(a, b) + innerProduct(b, b), 0));
}
