import { UsageError } from "../errors.ts";
import { counterPermutation } from "../tensor/random/counter.ts";
import { type Features, selectFeatures } from "./features.ts";
import { type FeatureStatistics, type FrechetDistance, featureStatistics, frechetDistance } from "./frechet.ts";
import type { Products } from "./products.ts";

export interface InfinityOptions {
  /** Sizes of subsets that the line is laid through. */
  readonly points: number;
  /** Share of the pictures in the smallest subset. */
  readonly least: number;
  /** Which pictures a subset holds follows from it. */
  readonly seed: number;
}

/** Fifteen sizes as in the paper, whose smallest was a tenth of the largest. */
export const infinityDefaults: InfinityOptions = { points: 15, least: 0.1, seed: 0 };

/** Fewest pictures whose subsets are worth a line. */
const leastForLine = 20;

/** Distance of a subset of `count` pictures. */
export interface SubsetDistance {
  readonly count: number;
  readonly distance: number;
}

export interface ExtrapolatedDistance extends FrechetDistance {
  readonly subsets: readonly SubsetDistance[];
}

/** Where the line through (1 / count, distance) that fits best (least squares) meets 1 / count = 0. */
export function extrapolate(subsets: readonly SubsetDistance[]): number {
  const n = subsets.length;
  const x = subsets.map(({ count }) => 1 / count);
  const meanX = x.reduce((a, b) => a + b, 0) / n;
  const meanY = subsets.reduce((sum, { distance }) => sum + distance, 0) / n;
  let [above, below] = [0, 0];
  subsets.forEach(({ distance }, i) => {
    above += (x[i]! - meanX) * (distance - meanY);
    below += (x[i]! - meanX) ** 2;
  });
  return below === 0 ? meanY : meanY - (above / below) * meanX;
}

/**
 * The Frechet distance that infinitely many drawn pictures would have (Chong and Forsyth, arXiv:1911.07023): the distance of
 * N pictures is too large by a term of 1 / N, so that a line through distances of subsets tells it. The real pictures stay
 * as they are, and so does what their number adds.
 * @throws UsageError when there are fewer than 20 drawn pictures, or two networks made the features
 */
export async function frechetInfinity(
  products: Products,
  real: FeatureStatistics,
  drawn: Features,
  options: Partial<InfinityOptions> = {},
): Promise<ExtrapolatedDistance> {
  const { points, least, seed } = { ...infinityDefaults, ...options };
  const total = drawn.rows.shape[0]!;
  if (total < leastForLine)
    throw new UsageError(
      `Extrapolating a Frechet distance needs at least ${leastForLine} pictures, but there are ${total}.`,
    );
  const smallest = Math.max(leastForLine / 2, Math.round(total * least));
  const subsets: SubsetDistance[] = [];
  for (let i = 0; i < points; i++) {
    const count = Math.round(smallest + ((total - smallest) * i) / Math.max(1, points - 1));
    const chosen = counterPermutation(seed, "frechet infinity", i, total).subarray(0, count);
    const statistics = await featureStatistics(products, selectFeatures(drawn, chosen));
    subsets.push({ count, distance: (await frechetDistance(products, real, statistics)).distance });
  }
  return {
    distance: extrapolate(subsets),
    identity: drawn.identity,
    counts: [real.count, total],
    correction: "extrapolated",
    subsets,
  };
}
