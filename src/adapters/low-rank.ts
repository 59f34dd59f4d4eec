/** The product of two thin matrices, `up [rows, rank]` times `down [rank, columns]`, with a factor. */
export interface LowRankProduct {
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly rank: number;
  readonly columns: number;
  readonly factor: number;
}

/** Columns worked on at a time, so that this part of `down` stays in the processor's cache for all rows. */
export const columnBlock = 512;

/** Rows of `down` added in one pass, so that each sum is loaded and stored once for eight products. */
const rankBlock = 8;

/**
 * Adds `factor * (up x down)[row, from to from + sums.length]` to sums, in float64.
 *
 * `sums` has at most `columns - from` elements.
 */
export function addProductRow(sums: Float64Array, product: LowRankProduct, row: number, from: number): void {
  const { up, down, rank, columns, factor } = product;
  const upStart = row * rank;
  let r = 0;
  for (; r + rankBlock <= rank; r += rankBlock) {
    const u = upStart + r;
    const u0 = factor * up[u]!;
    const u1 = factor * up[u + 1]!;
    const u2 = factor * up[u + 2]!;
    const u3 = factor * up[u + 3]!;
    const u4 = factor * up[u + 4]!;
    const u5 = factor * up[u + 5]!;
    const u6 = factor * up[u + 6]!;
    const u7 = factor * up[u + 7]!;
    const d0 = r * columns + from;
    const d1 = d0 + columns;
    const d2 = d1 + columns;
    const d3 = d2 + columns;
    const d4 = d3 + columns;
    const d5 = d4 + columns;
    const d6 = d5 + columns;
    const d7 = d6 + columns;
    for (let j = 0; j < sums.length; j++) {
      const low = u0 * down[d0 + j]! + u1 * down[d1 + j]! + u2 * down[d2 + j]! + u3 * down[d3 + j]!;
      const high = u4 * down[d4 + j]! + u5 * down[d5 + j]! + u6 * down[d6 + j]! + u7 * down[d7 + j]!;
      sums[j] = sums[j]! + low + high;
    }
  }
  for (; r < rank; r++) {
    const u0 = factor * up[upStart + r]!;
    const d0 = r * columns + from;
    for (let j = 0; j < sums.length; j++) sums[j] = sums[j]! + u0 * down[d0 + j]!;
  }
}
