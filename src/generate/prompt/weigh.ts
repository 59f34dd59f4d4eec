import { linearCombination } from "../../tensor/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";

type Floats = Tensor<"float32">;

/**
 * A1111's emphasis: each token's hidden state times its weight, and then all times one number, so that the mean over the
 * window is what it was: `z' = (w z) mean(z) / mean(w z)`.
 * @param states `[tokens, width]` of one window
 * @param weights one for each token
 */
export function emphasise(states: Floats, weights: readonly number[]): Floats {
  if (weights.every((weight) => weight === 1)) return states;
  const weighted = eachToken(states, (x, token) => x * weights[token]!);
  const before = sum(states);
  const after = sum(weighted);
  // A sum of nothing cannot be restored.
  return after === 0 ? weighted : linearCombination([[before / after, weighted]]);
}

/**
 * Compel's weighting: each token's hidden state moves away from, or towards, that of the empty text: `z' = e + w (z - e)`.
 * @param states `[tokens, width]` of one window, and `empty` of a window without text
 * @param weights one for each token
 */
export function moveFromEmpty(states: Floats, empty: Floats, weights: readonly number[]): Floats {
  if (weights.every((weight) => weight === 1)) return states;
  return eachToken(states, (x, token, i) => {
    const weight = weights[token]!;
    const e = empty.data[i]!;
    return weight === 1 ? x : e + weight * (x - e);
  });
}

/**
 * How much Compel adds of the text without a piece whose weight is below 1, where the whole text counts 1:
 * `tan((1 - w) pi / 2)`, so that half the weight is half the way, and none almost all of it.
 */
export function absenceWeight(weight: number): number {
  return Math.tan(((1 - Math.max(1e-5, weight)) * Math.PI) / 2);
}

function eachToken(states: Floats, change: (x: number, token: number, index: number) => number): Floats {
  const width = states.shape[1]!;
  return { ...states, data: states.data.map((x, i) => change(x, Math.floor(i / width), i)) };
}

function sum({ data }: Floats): number {
  let total = 0;
  for (const x of data) total += x;
  return total;
}
