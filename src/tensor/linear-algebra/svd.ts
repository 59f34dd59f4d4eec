import { type Matrix, matrix, multiply, transpose } from "./matrix.ts";
import { qr } from "./qr.ts";

/** A = U diag(S) V': singular values falling, as many as the smaller extent; columns of `u` and `v` are the vectors. */
export interface SingularValues {
  readonly u: Matrix;
  readonly values: Float64Array;
  readonly v: Matrix;
}

/** Sweeps over all pairs of columns; ten are many. */
const mostSweeps = 60;

/**
 * Singular value decomposition of a small matrix by one-sided Jacobi rotations after a QR factorisation: singular values are
 * accurate to the precision of float64, also small ones. About 10 k^2 (rows + columns) sweeps of work, k the smaller extent.
 */
export function svd(a: Matrix): SingularValues {
  if (a.rows < a.columns) {
    const { u, values, v } = svd(transpose(a));
    return { u: v, values, v: u };
  }
  // Rotations of R' instead of A: fewer rows, and columns that are nearly orthogonal from the start.
  const { q, r } = qr(a);
  const inner = rotate(r);
  return { u: multiply(q, inner.v), values: inner.values, v: inner.u };
}

/** The decomposition of R', whose columns are R's rows: R' = U S V', so R = V S U'. */
function rotate({ rows: size, data: r }: Matrix): SingularValues {
  const columns = r.slice();
  const turns = new Float64Array(size * size);
  for (let i = 0; i < size; i++) turns[i * size + i] = 1;
  for (let sweep = 0; sweep < mostSweeps; sweep++) {
    let turned = false;
    for (let p = 0; p < size - 1; p++) {
      for (let q = p + 1; q < size; q++) turned = rotatePair(columns, turns, size, p, q) || turned;
    }
    if (!turned) break;
  }
  return sorted(columns, turns, size);
}

/** Makes two columns orthogonal. @returns whether they were not yet */
function rotatePair(columns: Float64Array, turns: Float64Array, size: number, p: number, q: number): boolean {
  const [x, y] = [p * size, q * size];
  let [alpha, beta, gamma] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const [a, b] = [columns[x + i]!, columns[y + i]!];
    alpha += a * a;
    beta += b * b;
    gamma += a * b;
  }
  if (gamma === 0 || Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  for (const data of [columns, turns]) {
    for (let i = 0; i < size; i++) {
      const [a, b] = [data[x + i]!, data[y + i]!];
      data[x + i] = cosine * a - sine * b;
      data[y + i] = sine * a + cosine * b;
    }
  }
  return true;
}

/** Columns of U S and of V, in the order of their lengths; where a value is zero, its vector of U is zeros. */
function sorted(columns: Float64Array, turns: Float64Array, size: number): SingularValues {
  const lengths = Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < size; j++) sum += columns[i * size + j]! ** 2;
    return Math.sqrt(sum);
  });
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
  const values = Float64Array.from(order, (i) => lengths[i]!);
  const [u, v] = [matrix(size, size), matrix(size, size)];
  for (let k = 0; k < size; k++) {
    const from = order[k]! * size;
    const length = values[k]!;
    for (let i = 0; i < size; i++) {
      u.data[i * size + k] = length === 0 ? 0 : columns[from + i]! / length;
      v.data[i * size + k] = turns[from + i]!;
    }
  }
  return { u, values, v };
}
