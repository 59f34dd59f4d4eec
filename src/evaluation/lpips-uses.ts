/** The three questions that LPIPS is asked here, each with its interval. */
import { UsageError } from "../errors.ts";
import type { RunOptions } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type BootstrapOptions, bootstrap, type Estimate } from "./bootstrap.ts";
import type { Lpips, PicturePair } from "./lpips.ts";

/**
 * What a perceptual distance is from or among:
 *
 * - `real`: from the real picture of the same caption; small is near to the data
 * - `teacher`: from what the teacher draws finely from the same noise and caption; small is faithful distillation
 * - `diversity`: among pictures of one caption; large is varied
 */
export type LpipsUse = "real" | "teacher" | "diversity";

export interface LpipsMeasure {
  readonly use: LpipsUse;
  /** Mean distance; its interval is over captions. */
  readonly distance: Estimate;
  /** The mean of each caption's distances, for comparisons by caption. */
  readonly each: Float64Array;
  readonly network: string;
  readonly pairs: number;
}

type Picture = Tensor<"float32">;

/** Means by caption of distances of pairs, and their mean with its interval. */
async function measure(
  network: Lpips,
  use: LpipsUse,
  groups: readonly (readonly PicturePair[])[],
  options: RunOptions & { readonly interval?: Partial<BootstrapOptions> },
): Promise<LpipsMeasure> {
  const { interval, ...run } = options;
  const all = await network.distances(groups.flat(), run);
  let place = 0;
  const each = Float64Array.from(groups, (group) => {
    let sum = 0;
    for (let i = 0; i < group.length; i++) sum += all[place++]!;
    return sum / group.length;
  });
  const mean = (indices: Int32Array): number => indices.reduce((sum, i) => sum + each[i]!, 0) / indices.length;
  const distance = await bootstrap(groups.length, mean, interval);
  return { use, distance, each, network: network.name, pairs: all.length };
}

export interface LpipsOptions extends RunOptions {
  /** How the interval is made; `bootstrapDefaults` unless told. */
  readonly interval?: Partial<BootstrapOptions>;
}

/**
 * Mean distance of drawn pictures from their counterparts: the real picture of the same caption (`real`), or what the
 * teacher draws in many steps from the same noise and caption (`teacher`).
 * @throws UsageError when there are not as many of one as of the other, or two sizes differ
 */
export async function lpipsToCounterparts(
  network: Lpips,
  use: "real" | "teacher",
  drawn: readonly Picture[],
  counterparts: readonly Picture[],
  options: LpipsOptions = {},
): Promise<LpipsMeasure> {
  if (drawn.length !== counterparts.length || drawn.length === 0) {
    const other = use === "real" ? "real pictures" : "pictures of the teacher";
    throw new UsageError(
      `LPIPS pairs each drawn picture with another, but there are ${drawn.length} drawn and ${counterparts.length} ${other}; give as many of both, at least one.`,
    );
  }
  const groups = drawn.map((picture, i): PicturePair[] => [[picture, counterparts[i]!]]);
  return measure(network, use, groups, options);
}

/**
 * Mean distance among pictures of one caption, over captions.
 * @param drawn for each caption its pictures, two at least
 * @throws UsageError when a caption has fewer than two pictures, or there is no caption
 */
export async function lpipsDiversity(
  network: Lpips,
  drawn: readonly (readonly Picture[])[],
  options: LpipsOptions = {},
): Promise<LpipsMeasure> {
  const few = drawn.find((pictures) => pictures.length < 2);
  if (few !== undefined || drawn.length === 0) {
    throw new UsageError(
      `Diversity is measured among pictures of one caption, so each caption needs at least 2, but one has ${few?.length ?? 0}.`,
    );
  }
  const groups = drawn.map((pictures) =>
    pictures.flatMap((a, i) => pictures.slice(i + 1).map((b): PicturePair => [a, b])),
  );
  return measure(network, "diversity", groups, options);
}
