import { sumOfSquares } from "./clip.ts";

/** Adds `addend` to `total` in elements `begin` to `end` and returns the sum of squares of the sums, in one pass. */
function add(total: Float32Array, addend: Float32Array, begin: number, end: number): number {
  // Four sums that do not wait for one another.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const a = total[i]! + addend[i]!;
    const b = total[i + 1]! + addend[i + 1]!;
    const c = total[i + 2]! + addend[i + 2]!;
    const d = total[i + 3]! + addend[i + 3]!;
    total[i] = a;
    total[i + 1] = b;
    total[i + 2] = c;
    total[i + 3] = d;
    s0 += a * a;
    s1 += b * b;
    s2 += c * c;
    s3 += d * d;
  }
  for (; i < end; i++) {
    const a = total[i]! + addend[i]!;
    total[i] = a;
    s0 += a * a;
  }
  return s0 + s1 + (s2 + s3);
}

/**
 * Adds the other vectors' elements `begin` to `end` to those of the first, in place.
 * @returns the sum of squares of the sums
 */
export function addUp(vectors: readonly Float32Array[], begin: number, end: number): number {
  const [total, ...others] = vectors as readonly [Float32Array, ...Float32Array[]];
  let squares: number | undefined;
  for (const other of others) squares = add(total, other, begin, end);
  return squares ?? sumOfSquares(total, begin, end);
}
