import { type Matrix, transpose } from "./matrix.ts";

/** A matrix as a product: `q [rows, k]` with orthonormal columns, `r [k, columns]` upper triangular, k the smaller extent. */
export interface QrFactors {
  readonly q: Matrix;
  readonly r: Matrix;
}

/**
 * A = Q R by Householder's reflections; columns of Q are orthonormal to rounding, whatever A's rank.
 *
 * Golub and Van Loan, Matrix Computations, algorithm 5.2.1, on columns that lie in memory one after the other.
 */
export function qr(a: Matrix): QrFactors {
  const { rows, columns } = a;
  const size = Math.min(rows, columns);
  const { data: work } = transpose(a);
  const factors = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const column = work.subarray(k * rows, (k + 1) * rows);
    factors[k] = makeReflection(column, k);
    for (let j = k + 1; j < columns; j++) reflect(work.subarray(j * rows, (j + 1) * rows), column, k, factors[k]!);
  }
  const r = new Float64Array(size * columns);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i <= Math.min(j, size - 1); i++) r[i * columns + j] = work[j * rows + i]!;
  }
  // The diagonal of R and the reflections' first numbers share a place: the latter are 1, and the former are kept in r.
  const q = new Float64Array(size * rows);
  for (let j = 0; j < size; j++) q[j * rows + j] = 1;
  for (let k = size - 1; k >= 0; k--) {
    const column = work.subarray(k * rows, (k + 1) * rows);
    for (let j = k; j < size; j++) reflect(q.subarray(j * rows, (j + 1) * rows), column, k, factors[k]!);
  }
  return {
    q: transpose({ rows: size, columns: rows, data: q }),
    r: { rows: size, columns, data: r },
  };
}

/**
 * Turns a column, from its k-th element, into R's diagonal element at k and the reflection's vector behind it, whose own k-th
 * element is 1 and not stored. @returns what the reflection multiplies its product by: 2 / v'v
 */
function makeReflection(column: Float64Array, k: number): number {
  let tail = 0;
  for (let i = k + 1; i < column.length; i++) tail += column[i]! * column[i]!;
  const first = column[k]!;
  if (tail === 0) return 0;
  const norm = Math.sqrt(first * first + tail);
  const head = first <= 0 ? first - norm : -tail / (first + norm);
  for (let i = k + 1; i < column.length; i++) column[i]! /= head;
  column[k] = norm;
  return (2 * head * head) / (tail + head * head);
}

/** x -= factor v (v'x), from element k on, where v's k-th element is 1 whatever stands in its place. */
function reflect(x: Float64Array, v: Float64Array, k: number, factor: number): void {
  if (factor === 0) return;
  let sum = x[k]!;
  for (let i = k + 1; i < x.length; i++) sum += v[i]! * x[i]!;
  const share = factor * sum;
  x[k]! -= share;
  for (let i = k + 1; i < x.length; i++) x[i]! -= share * v[i]!;
}
