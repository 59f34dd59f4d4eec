import { UsageError } from "../errors.ts";
import { counterPermutation } from "../tensor/random/counter.ts";
import { type BootstrapOptions, bootstrap, type Estimate, quantile } from "./bootstrap.ts";

/** What one drawing took. */
export interface TimedDrawing {
  readonly seconds: number;
  readonly pictures: number;
  /** Calls of the network on one picture; a call with guidance counts twice. */
  readonly networkCalls: number;
}

/** What a sampler takes, warm, in medians over drawings. */
export interface TimeSummary {
  readonly secondsPerPicture: Estimate;
  /** Everything but the network included, divided by the calls. */
  readonly secondsPerCall: number;
  readonly networkCalls: number;
  /** A quarter of the drawings was faster, and a quarter slower. */
  readonly quartiles: readonly [number, number];
  /** Drawings that counted. */
  readonly drawings: number;
}

/** The middle of numbers; of an even count, the mean of the middle two. */
export function median(values: ArrayLike<number>): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

/**
 * Sums up the drawings of one sampler; those that warm up are not among them.
 * @throws UsageError when there is none, or their numbers of calls differ
 */
export async function summariseTimes(
  drawings: readonly TimedDrawing[],
  options: Partial<BootstrapOptions> = {},
): Promise<TimeSummary> {
  const first = drawings[0];
  if (first === undefined)
    throw new UsageError("There is no drawing to time; at least one is needed after warming up.");
  const odd = drawings.find(({ networkCalls }) => networkCalls !== first.networkCalls);
  if (odd !== undefined) {
    throw new UsageError(
      `Drawings with ${first.networkCalls} and with ${odd.networkCalls} network calls cannot be timed as one; time each apart.`,
    );
  }
  const each = Float64Array.from(drawings, ({ seconds, pictures }) => seconds / pictures);
  const sorted = each.slice().sort();
  const secondsPerPicture = await bootstrap(each.length, (some) => median(Array.from(some, (i) => each[i]!)), options);
  return {
    secondsPerPicture,
    secondsPerCall: secondsPerPicture.value / first.networkCalls,
    networkCalls: first.networkCalls,
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    drawings: drawings.length,
  };
}

/** One turn of a plan: which sampler draws, and whether it only warms up. */
export interface Turn {
  readonly sampler: number;
  readonly warming: boolean;
}

/**
 * In which order samplers take turns, so that a slow minute of the machine meets all of them: each warms up, then every
 * round has each once, in an order of its own that follows from the seed.
 */
export function interleavedTurns(samplers: number, rounds: number, warmUps = 1, seed = 0): Turn[] {
  return Array.from({ length: warmUps + rounds }, (_, round) =>
    Array.from(counterPermutation(seed, "turns", round, samplers), (sampler) => ({
      sampler,
      warming: round < warmUps,
    })),
  ).flat();
}
