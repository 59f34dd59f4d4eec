import { UsageError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { pivotedCholesky } from "./cholesky.ts";
import { symmetricEigenvalues } from "./eigenvalues.ts";
import { expectSameNetwork, type FeatureIdentity, type Features } from "./features.ts";
import { type Matrix, matrix, type Products } from "./products.ts";

/** Least pictures that have a covariance. */
export const leastPictures = 2;

/** Mean and covariance of features, ready to be compared. */
export interface FeatureStatistics {
  readonly identity: FeatureIdentity;
  readonly count: number;
  readonly mean: Float64Array;
  /** Sum of the variances. */
  readonly trace: number;
  /** F `[rank, width]` with F' F the covariance (divisor `count` - 1). */
  readonly factor: Matrix;
}

/** A distance with all that must be said beside it. */
export interface FrechetDistance {
  readonly distance: number;
  readonly identity: FeatureIdentity;
  /** Pictures of the first and of the second set. */
  readonly counts: readonly [number, number];
  /** `none`: a distance of few pictures is too large on average; `extrapolated`: see `frechetInfinity`. */
  readonly correction: "none" | "extrapolated";
}

/** Mean of rows `[count, width]`. */
export function meanOfRows({ shape, data }: Tensor<"float32"> | Matrix): Float64Array {
  const [count, width] = shape as [number, number];
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width]! += data[i]!;
  return mean.map((x) => x / count);
}

/** Rows less their mean, over the root of `count` - 1: A with A' A the covariance. */
export function centredRows({ shape, data }: Tensor<"float32"> | Matrix, mean: Float64Array): Matrix {
  const [count, width] = shape as [number, number];
  const share = 1 / Math.sqrt(count - 1);
  const out = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = (data[i]! - mean[i % width]!) * share;
  return matrix(count, width, out);
}

/**
 * Mean and covariance of features, in float64. Of fewer pictures than the features are wide, the covariance is never formed.
 * @throws UsageError when there are fewer than two pictures, or a feature is not a number
 */
export async function featureStatistics(products: Products, features: Features): Promise<FeatureStatistics> {
  const { identity, rows } = features;
  const [count, width] = rows.shape as [number, number];
  if (count < leastPictures) {
    throw new UsageError(
      `A Frechet distance needs at least ${leastPictures} pictures in each set, but one has ${count}; some thousands give a steady number.`,
    );
  }
  const mean = meanOfRows(rows);
  if (!mean.every(Number.isFinite))
    throw new UsageError("The features hold numbers that are not finite; make them again.");
  const centred = centredRows(rows, mean);
  let trace = 0;
  for (const x of centred.data) trace += x * x;
  const factor = count <= width ? centred : pivotedCholesky(await products.multiply(centred, centred, { a: true }));
  return { identity, count, mean, trace, factor };
}

/**
 * Trace of the square root of the product of two covariances A' A and B' B: the sum of the singular values of A B', which
 * exists whether or not a covariance is singular.
 * @param a `[r, width]`, @param b `[s, width]`
 */
export async function traceOfRoot(products: Products, a: Matrix, b: Matrix): Promise<number> {
  const [small, large] = a.shape[0]! <= b.shape[0]! ? [a, b] : [b, a];
  if (small.shape[0] === 0) return 0;
  const cross = await products.multiply(small, large, { b: true });
  const squares = await products.multiply(cross, cross, { b: true });
  let sum = 0;
  for (const value of symmetricEigenvalues(squares)) sum += Math.sqrt(Math.max(0, value));
  return sum;
}

/**
 * Frechet distance of two Gaussians, |mu1 - mu2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6):
 * with the features of Inception v3 of 2015 the FID.
 * @throws UsageError when two networks made the features
 */
export async function frechetDistance(
  products: Products,
  a: FeatureStatistics,
  b: FeatureStatistics,
): Promise<FrechetDistance> {
  expectSameNetwork(a.identity, b.identity, [a.mean.length, b.mean.length]);
  let means = 0;
  for (let i = 0; i < a.mean.length; i++) means += (a.mean[i]! - b.mean[i]!) ** 2;
  const root = await traceOfRoot(products, a.factor, b.factor);
  const distance = means + a.trace + b.trace - 2 * root;
  return { distance, identity: a.identity, counts: [a.count, b.count], correction: "none" };
}
