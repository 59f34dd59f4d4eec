/** Eigenvalues of symmetric matrices: Householder's reduction to three diagonals, then implicit QL steps. */
import { ShapeError } from "../errors.ts";
import type { Matrix } from "./products.ts";

/** Diagonal and, from index 1 on, subdiagonal of a symmetric matrix with three diagonals. */
interface Tridiagonal {
  readonly diagonal: Float64Array;
  readonly beside: Float64Array;
}

/**
 * Reduces the lower triangle, from the last row upwards. The change of one step, a - v p' - p v', is made while the next
 * reads the matrix, so that each step passes over memory once and not twice.
 */
function tridiagonalise(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  let [v, p] = [new Float64Array(n), new Float64Array(n)];
  let [nextV, nextP] = [new Float64Array(n), new Float64Array(n)];
  for (let k = n - 1; k >= 0; k--) {
    const row = k * n;
    const [vk, pk] = [v[k]!, p[k]!];
    for (let j = 0; j <= k; j++) a[row + j]! -= vk * p[j]! + pk * v[j]!;
    diagonal[k] = a[row + k]!;
    if (k === 0) break;
    let square = 0;
    for (let j = 0; j < k - 1; j++) square += a[row + j]! * a[row + j]!;
    const last = a[row + k - 1]!;
    nextV.fill(0);
    nextP.fill(0);
    if (square === 0) {
      beside[k] = last;
      for (let i = 0; i < k; i++) {
        const [vi, pi, start] = [v[i]!, p[i]!, i * n];
        for (let j = 0; j <= i; j++) a[start + j]! -= vi * p[j]! + pi * v[j]!;
      }
    } else {
      const norm = (last >= 0 ? -1 : 1) * Math.sqrt(square + last * last);
      beside[k] = norm;
      for (let j = 0; j < k - 1; j++) nextV[j] = a[row + j]!;
      nextV[k - 1] = last - norm;
      const half = norm * (norm - last);
      symmetricPass(a, n, k, v, p, nextV, nextP);
      let share = 0;
      for (let i = 0; i < k; i++) {
        nextP[i]! /= half;
        share += nextP[i]! * nextV[i]!;
      }
      share /= 2 * half;
      for (let i = 0; i < k; i++) nextP[i]! -= share * nextV[i]!;
    }
    [v, nextV] = [nextV, v];
    [p, nextP] = [nextP, p];
  }
  return { diagonal, beside };
}

/** a -= v p' + p v' on the first k rows, and out = a w with what comes out; lower triangles only. */
function symmetricPass(
  a: Float64Array,
  n: number,
  k: number,
  v: Float64Array,
  p: Float64Array,
  w: Float64Array,
  out: Float64Array,
): void {
  for (let i = 0; i < k; i++) {
    const start = i * n;
    const vi = v[i]!;
    const pi = p[i]!;
    const wi = w[i]!;
    let sum = 0;
    for (let j = 0; j < i; j++) {
      const x = a[start + j]! - vi * p[j]! - pi * v[j]!;
      a[start + j] = x;
      sum += x * w[j]!;
      out[j]! += x * wi;
    }
    const x = a[start + i]! - 2 * vi * pi;
    a[start + i] = x;
    out[i]! += sum + x * wi;
  }
}

/** Most QL steps for one eigenvalue; three are usual. */
const mostSteps = 60;

/** Eigenvalues of a matrix with three diagonals by implicit QL steps with Wilkinson's shift. */
function qlValues({ diagonal: d, beside }: Tridiagonal): Float64Array {
  const n = d.length;
  const e = new Float64Array(n);
  for (let i = 1; i < n; i++) e[i - 1] = beside[i]!;
  for (let l = 0; l < n; l++) {
    for (let step = 0; step < mostSteps; step++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      const ahead = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      const root = Math.hypot(ahead, 1);
      let g = d[m]! - d[l]! + e[l]! / (ahead + (ahead >= 0 ? root : -root));
      let [sine, cosine, taken] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = sine * e[i]!;
        const b = cosine * e[i]!;
        const length = Math.hypot(f, g);
        e[i + 1] = length;
        if (length === 0) break;
        sine = f / length;
        cosine = g / length;
        g = d[i + 1]! - taken;
        const r = (d[i]! - g) * sine + 2 * cosine * b;
        taken = sine * r;
        d[i + 1] = g + taken;
        g = cosine * r - b;
      }
      if (i >= l) {
        d[i + 1]! -= taken;
        e[m] = 0;
        continue;
      }
      d[l]! -= taken;
      e[l] = g;
      e[m] = 0;
    }
  }
  return d.sort();
}

/**
 * Eigenvalues of a symmetric matrix `[n, n]`, rising; only its lower triangle is read. About n^3 / 10^9 seconds.
 * @throws ShapeError when it is not square
 */
export function symmetricEigenvalues({ shape, data }: Matrix): Float64Array {
  const [n, columns] = shape as [number, number];
  if (n !== columns) throw new ShapeError("symmetricEigenvalues", "a square matrix", [shape]);
  return n === 0 ? new Float64Array(0) : qlValues(tridiagonalise(data.slice(), n));
}
