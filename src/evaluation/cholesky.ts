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
    takeAwayRows(row, rows, pivot);
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

/** row -= rows' times their elements at `pivot`, four at once: memory is what it waits for. */
function takeAwayRows(row: Float64Array, rows: readonly Float64Array[], pivot: number): void {
  const n = row.length;
  let r = 0;
  for (; r + 3 < rows.length; r += 4) {
    const [a, b, c, d] = [rows[r]!, rows[r + 1]!, rows[r + 2]!, rows[r + 3]!];
    const [fa, fb, fc, fd] = [a[pivot]!, b[pivot]!, c[pivot]!, d[pivot]!];
    for (let i = 0; i < n; i++) row[i]! -= fa * a[i]! + fb * b[i]! + fc * c[i]! + fd * d[i]!;
  }
  for (; r < rows.length; r++) {
    const before = rows[r]!;
    const factor = before[pivot]!;
    for (let i = 0; i < n; i++) row[i]! -= factor * before[i]!;
  }
}
