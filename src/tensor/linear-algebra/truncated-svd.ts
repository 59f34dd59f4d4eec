import { Mt19937 } from "../random/mt19937.ts";
import { firstColumns, type Matrix, matrix, multiply, squaredNorm, transpose } from "./matrix.ts";
import { qr } from "./qr.ts";
import { type SingularValues, svd } from "./svd.ts";

/** How many singular values are wanted: so many, or as many as hold a share (0 to 1) of the sum of their squares. */
export type WantedValues = { readonly rank: number } | { readonly energy: number; readonly mostRank?: number };

/** The largest singular values with their vectors, and what they leave out. */
export interface TruncatedSvd extends SingularValues {
  /** Frobenius norm of A minus U S V'. */
  readonly error: number;
  /** Frobenius norm of A. */
  readonly norm: number;
}

/** Directions beyond the wanted ones, which make those exact. */
const oversampling = 16;

/** Passes that turn the directions towards the largest values. */
const passes = 2;

/** Directions to begin with where an energy is wanted. */
const firstDirections = 48;

/**
 * The largest singular values of any matrix by subspace iteration from random directions (Halko, Martinsson and Tropp 2011,
 * algorithms 4.4 and 5.1), the same for the same matrix. Where the wanted rank is near half of the smaller extent,
 * all are computed.
 */
export function truncatedSvd(a: Matrix, wanted: WantedValues): TruncatedSvd {
  const smaller = Math.min(a.rows, a.columns);
  const total = squaredNorm(a.data);
  const turned = transpose(a);
  let directions = "rank" in wanted ? wanted.rank + oversampling : firstDirections;
  for (;;) {
    const all = directions > smaller / 2;
    const found = all ? svd(a) : subspace(a, turned, directions);
    const rank = enough(found.values, wanted, total, all ? 0 : oversampling);
    if (rank !== undefined) return truncate(found, Math.min(rank, smaller), total);
    directions *= 2;
  }
}

/** The first singular values of a decomposition. @param total sum of the squares of A's elements */
export function truncate({ u, values, v }: SingularValues, rank: number, total: number): TruncatedSvd {
  const kept = values.slice(0, rank);
  const rest = total - squaredNorm(kept);
  // Where all values are known the rest is a sum of squares, without cancellation.
  const tail = values.length > rank ? squaredNorm(values.subarray(rank)) : 0;
  const error = Math.sqrt(Math.max(rest > 1e-12 * total ? rest : tail, 0));
  return { u: firstColumns(u, rank), values: kept, v: firstColumns(v, rank), error, norm: Math.sqrt(total) };
}

/** How many values to keep; undefined where more must be known. */
export function enough(values: Float64Array, wanted: WantedValues, total: number, uncertain = 0): number | undefined {
  if ("rank" in wanted) return Math.min(wanted.rank, values.length);
  const most = wanted.mostRank ?? Number.POSITIVE_INFINITY;
  let held = 0;
  const certain = values.length - uncertain;
  for (let i = 0; i < certain; i++) {
    held += values[i]! ** 2;
    if (i + 1 >= most || held >= wanted.energy * total) return i + 1;
  }
  return uncertain === 0 ? Math.max(certain, 1) : undefined;
}

function subspace(a: Matrix, turned: Matrix, directions: number): SingularValues {
  const random = Float64Array.from(new Mt19937(0).randn(a.columns * directions));
  let { q } = qr(multiply(a, matrix(a.columns, directions, random)));
  for (let pass = 0; pass < passes; pass++) {
    q = qr(multiply(turned, q)).q;
    q = qr(multiply(a, q)).q;
  }
  // A is nearly Q Q'A, and Q'A is small.
  const { u, values, v } = svd(multiply(transpose(q), a));
  return { u: multiply(q, u), values, v };
}
