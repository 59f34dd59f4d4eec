import type { Tensor } from "../../tensor/tensor.ts";
import { matrixShape, numbers } from "./module-tensors.ts";

/** `factor * a b` of matrices `[rows, rank]` and `[rank, columns]`, in float64. */
export function product(a: Tensor, b: Tensor, factor = 1): Float64Array {
  const [rows, rank] = matrixShape(a);
  const [, columns] = matrixShape(b);
  return multiply(numbers(a), numbers(b), rows, rank, columns, factor);
}

/** The same of numbers in a row. */
export function multiply(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  rank: number,
  columns: number,
  factor = 1,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const start = i * columns;
    for (let r = 0; r < rank; r++) {
      const x = factor * a[i * rank + r]!;
      if (x === 0) continue;
      const from = r * columns;
      for (let j = 0; j < columns; j++) out[start + j]! += x * b[from + j]!;
    }
  }
  return out;
}

/**
 * Tucker's form of a convolution, `W[o, i, h, w] = sum_pq core[p, q, h, w] a[p, o] b[q, i]`.
 * @param core `[p, q, height, width]`
 * @param a `[p, out]`
 * @param b `[q, in]`
 */
export function tuckerProduct(core: Tensor, a: Tensor, b: Tensor): Float64Array {
  const [outer = 0, inner = 0] = core.shape;
  const [, out] = matrixShape(a);
  return multiply(transposed(numbers(a), outer, out), coreTimes(core, b), out, outer, tuckerColumns(core, b, inner));
}

const tuckerColumns = (core: Tensor, b: Tensor, inner: number): number =>
  matrixShape(b)[1] * (matrixShape(core)[1] / inner);

/** `sum_q core[p, q, h, w] b[q, i]`, as `[p, in, height, width]`. */
export function coreTimes(core: Tensor, b: Tensor): Float64Array {
  const [outer = 0, inner = 0] = core.shape;
  const [, columns] = matrixShape(b);
  const window = matrixShape(core)[1] / inner;
  const [c, d] = [numbers(core), numbers(b)];
  const made = new Float64Array(outer * columns * window);
  for (let p = 0; p < outer; p++) {
    for (let q = 0; q < inner; q++) {
      const from = (p * inner + q) * window;
      for (let i = 0; i < columns; i++) {
        const x = d[q * columns + i]!;
        const to = (p * columns + i) * window;
        for (let w = 0; w < window; w++) made[to + w]! += c[from + w]! * x;
      }
    }
  }
  return made;
}

/** A matrix of rows `[rows, columns]` the other way. */
export function transposed(a: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = a[i * columns + j]!;
  return out;
}
