import { firstColumns, type Matrix, squaredNorm, transposedMultiply } from "../../tensor/linear-algebra/matrix.ts";

/**
 * How far the space of the first `i` columns of one orthonormal matrix lies in that of the first `j` of another:
 * `phi = |U1' U2|^2 / min(i, j)`, from 0 (orthogonal) to 1 (one contains the other). LoRA (Hu and others 2021), equation 4.
 *
 * Two spaces without relation have about `max(i, j) / rows`.
 */
export function subspaceSimilarity(a: Matrix, b: Matrix, i: number, j: number): number {
  const product = transposedMultiply(firstColumns(a, i), firstColumns(b, j));
  return squaredNorm(product.data) / Math.min(i, j);
}
