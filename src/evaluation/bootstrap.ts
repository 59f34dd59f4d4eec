import { UsageError } from "../errors.ts";
import { counterIntegers } from "../tensor/random/counter.ts";

/** A number with the interval that it lies in. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Share of such intervals that hold the truth, e.g. 0.95. */
  readonly level: number;
}

export interface BootstrapOptions {
  /** Sets drawn anew from the pictures. */
  readonly resamples: number;
  readonly level: number;
  readonly seed: number;
  /**
   * Moves the interval so that the resamples' mean falls on the value: for measures such as the Frechet distance, which are
   * larger where pictures come twice.
   */
  readonly centred: boolean;
}

export const bootstrapDefaults: BootstrapOptions = { resamples: 1000, level: 0.95, seed: 0, centred: false };

/**
 * Confidence interval by the bootstrap's percentiles (Efron, 1979): the measure on sets of as many pictures, drawn from the
 * pictures with replacement. Equal counts and seeds draw the same pictures, so that measures of pairs can be compared.
 * @param count pictures
 * @param measure the measure of the pictures with these indices; first that of all, in order
 * @throws UsageError when there is no picture
 */
export async function bootstrap(
  count: number,
  measure: (indices: Int32Array) => number | Promise<number>,
  options: Partial<BootstrapOptions> = {},
): Promise<Estimate> {
  const { resamples, level, seed, centred } = { ...bootstrapDefaults, ...options };
  if (count < 1)
    throw new UsageError("There is nothing to draw a confidence interval from; at least one picture is needed.");
  if (resamples < 2)
    throw new UsageError(`A confidence interval needs at least 2 resamples, but ${resamples} were asked for.`);
  const value = await measure(Int32Array.from({ length: count }, (_, i) => i));
  const values = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) values[i] = await measure(counterIntegers(seed, "bootstrap", i, count, count));
  const shift = centred ? value - values.reduce((a, b) => a + b, 0) / resamples : 0;
  values.sort();
  const tail = (1 - level) / 2;
  return { value, low: quantile(values, tail) + shift, high: quantile(values, 1 - tail) + shift, level };
}

/** The mean of one number for each picture, with its interval. @throws UsageError when there is none */
export function bootstrapMean(values: ArrayLike<number>, options: Partial<BootstrapOptions> = {}): Promise<Estimate> {
  return bootstrap(
    values.length,
    (indices) => {
      let sum = 0;
      for (const i of indices) sum += values[i]!;
      return sum / indices.length;
    },
    options,
  );
}

/** The number below which a share of sorted numbers lies, between neighbours by proportion. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

/** What a comparison says. */
export type Verdict = "better" | "worse" | "tie";

/**
 * Reads the interval of a difference, first less second: one that holds zero is a tie.
 * @param wanted whether a small or a large measure is good
 */
export function verdictOf(difference: Estimate, wanted: "small" | "large"): Verdict {
  if (difference.low <= 0 && difference.high >= 0) return "tie";
  return difference.value < 0 === (wanted === "small") ? "better" : "worse";
}

/**
 * The difference of two measures on the same pictures by index, such as drawings of the same captions, with its interval.
 * @throws UsageError when there is no picture
 */
export function bootstrapDifference(
  count: number,
  first: (indices: Int32Array) => number | Promise<number>,
  second: (indices: Int32Array) => number | Promise<number>,
  options: Partial<BootstrapOptions> = {},
): Promise<Estimate> {
  return bootstrap(count, async (indices) => (await first(indices)) - (await second(indices)), options);
}
