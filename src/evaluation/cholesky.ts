import { type Matrix, matrix } from "./products.ts";

/** What remains of a covariance below this share of its largest variance is rounding. */
const negligible = 1e-13;

/**
 * A factor F `[rank, n]` of a positive semidefinite matrix S `[n, n]`, with F' F = S: Cholesky's with the largest remaining
 * variance first, which ends at the matrix's rank. Only the lower triangle of S is read.
 */
export function pivotedCholesky({ shape, data }: Matrix): Matrix {
  const n = shape[0]!;
  const left = Float64Array.from({ length: n }, (_, i) => data[i * n + i]!);
  const at = (i: number, j: number): number => (i >= j ? data[i * n + j]! : data[j * n + i]!);
  const least = negligible * left.reduce((a, b) => Math.max(a, b), 0);
  const rows: Float64Array[] = [];
  while (rows.length < n) {
    let pivot = 0;
    for (let i = 1; i < n; i++) if (left[i]! > left[pivot]!) pivot = i;
    if (!(left[pivot]! > least)) break;
    const root = Math.sqrt(left[pivot]!);
    const row = Float64Array.from({ length: n }, (_, i) => at(i, pivot));
    for (const before of rows) {
      const factor = before[pivot]!;
      if (factor !== 0) for (let i = 0; i < n; i++) row[i]! -= factor * before[i]!;
    }
    for (let i = 0; i < n; i++) {
      row[i]! /= root;
      left[i]! -= row[i]! * row[i]!;
    }
    // Exactly used up, whatever rounding says.
    left[pivot] = Number.NEGATIVE_INFINITY;
    rows.push(row);
  }
  const out = new Float64Array(rows.length * n);
  rows.forEach((row, i) => {
    out.set(row, i * n);
  });
  return matrix(rows.length, n, out);
}
