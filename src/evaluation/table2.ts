import {
  type BootstrapOptions,
  bootstrap,
  bootstrapDifference,
  bootstrapMean,
  type Estimate,
  type Verdict,
  verdictOf,
} from "./bootstrap.ts";
import { type Conditions, conditionalFrechetDistance } from "./conditional-frechet.ts";
import { describeFeatures, type Features, selectFeatures, selectRows } from "./features.ts";
import { type FeatureStatistics, featureStatistics, frechetDistance } from "./frechet.ts";
import { frechetInfinity } from "./frechet-infinity.ts";
import { inceptionScore } from "./inception-score.ts";
import { kernelDistance } from "./kernel-distance.ts";
import { type ManifoldMeasures, manifoldMeasures } from "./manifold.ts";
import type { Products } from "./products.ts";
import { type RowPlan, referenceRow } from "./table2-plan.ts";
import { summariseTimes, type TimedDrawing, type TimeSummary } from "./timing.ts";

/** Columns of one number for each caption, and whether small or large is good. */
export const captionColumns: Readonly<Record<CaptionColumn, "small" | "large">> = {
  lpips: "small",
  lpipsTeacher: "small",
  lpipsDiversity: "large",
  clipScore: "large",
  captionRetrieval: "large",
};

export type CaptionColumn = "lpips" | "lpipsTeacher" | "lpipsDiversity" | "clipScore" | "captionRetrieval";

/** What was found of one row's pictures, `perCaption` of each caption one after the other. */
export interface RowFindings {
  readonly plan: RowPlan;
  readonly drawings: readonly TimedDrawing[];
  /** By each network that makes features, in one order for all rows. */
  readonly features: readonly Features[];
  /** One number for each caption. */
  readonly byCaption: Readonly<Partial<Record<CaptionColumn, Float64Array>>>;
}

/** All that a table is made of. */
export interface Findings {
  readonly perCaption: number;
  /** Of real pictures, by each network. */
  readonly real: readonly Features[];
  /** The real picture of each caption, and the captions as a text encoder has them. */
  readonly paired?: PairedFindings;
  readonly rows: readonly RowFindings[];
}

/** What a conditional distance needs, in the order of the captions. */
export interface PairedFindings {
  /** By each network. */
  readonly real: readonly Features[];
  readonly conditions: Conditions;
}

/** Distances of a row's pictures from real ones by one network's features. */
export interface FeatureColumns {
  /** As `describeFeatures` says it. */
  readonly features: string;
  readonly frechet: Estimate;
  /** Extrapolated to infinitely many drawn pictures; undefined of few. */
  readonly frechetInfinity: number | undefined;
  readonly kernel: number;
  /** From the real pictures of the same captions, given the captions; undefined where these are not at hand. */
  readonly conditionalFrechet: number | undefined;
  /** Of a network that tells classes. */
  readonly inceptionScore: number | undefined;
  /** Precision, recall, density and coverage; undefined of few. */
  readonly manifold: ManifoldMeasures | undefined;
  readonly counts: readonly [real: number, drawn: number];
}

export interface Table2Row {
  readonly plan: RowPlan;
  readonly images: number;
  readonly time: TimeSummary;
  readonly distances: readonly FeatureColumns[];
  readonly byCaption: Readonly<Partial<Record<CaptionColumn, Estimate>>>;
}

/** How the reference does against another row. */
export interface Comparison {
  /** Place of the other row. */
  readonly row: number;
  /** How many times as long the other takes for a picture. */
  readonly timesAsFast: number;
  /** Of the reference: better, worse, or a tie; by each network. */
  readonly frechet: readonly Verdict[];
  readonly byCaption: Readonly<Partial<Record<CaptionColumn, Verdict>>>;
}

export interface Table2 {
  readonly rows: readonly Table2Row[];
  /** Place of the row that others are compared with. */
  readonly reference: number;
  readonly comparisons: readonly Comparison[];
}

type Measure = (indices: Int32Array) => number | Promise<number>;

/** The same numbers again, for resamples in the same order. */
interface Recorded {
  readonly measure: Measure;
  replay(): Measure;
}

function recorded(measure: Measure): Recorded {
  const values: number[] = [];
  return {
    async measure(indices) {
      const value = await measure(indices);
      values.push(value);
      return value;
    },
    replay() {
      let place = 0;
      return () => values[place++]!;
    },
  };
}

/** Places of the pictures of captions. */
function picturesOf(captions: Int32Array, perCaption: number): Int32Array {
  return Int32Array.from({ length: captions.length * perCaption }, (_, i) => {
    return captions[Math.floor(i / perCaption)]! * perCaption + (i % perCaption);
  });
}

const meanOf =
  (values: Float64Array): Measure =>
  (indices) =>
    indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;

/**
 * Makes the comparison of samplers: distances from real pictures, measures by caption and times, each with its interval, which
 * is over captions, and what the reference row (LCM-LoRA in 4 steps) is worth against every other one. A difference whose
 * interval holds zero is a tie.
 * @paper table 2
 * @throws UsageError when there are too few pictures, or features were made by two networks
 */
export async function table2(
  products: Products,
  { perCaption, real, rows, paired }: Findings,
  options: Partial<BootstrapOptions> = {},
): Promise<Table2> {
  const statistics: FeatureStatistics[] = [];
  for (const features of real) statistics.push(await featureStatistics(products, features));
  const captions = rows.map(({ drawings }) => drawings.length / perCaption);
  const centred = { ...options, centred: true };
  const kept: Recorded[][] = [];
  const done: Table2Row[] = [];
  for (const [r, { plan, drawings, features, byCaption }] of rows.entries()) {
    const distances: FeatureColumns[] = [];
    const resampled = features.map((some, n) =>
      recorded(async (indices) => {
        const chosen = selectFeatures(some, picturesOf(indices, perCaption));
        return (await frechetDistance(products, statistics[n]!, await featureStatistics(products, chosen))).distance;
      }),
    );
    kept.push(resampled);
    for (const [n, some] of features.entries()) {
      const frechet = await bootstrap(captions[r]!, resampled[n]!.measure, centred);
      const conditionalFrechet = await conditionalOf(products, paired, n, some, perCaption);
      const further = await furtherDistances(products, real[n]!, statistics[n]!, some);
      distances.push({ frechet, ...further, conditionalFrechet });
    }
    const means: Partial<Record<CaptionColumn, Estimate>> = {};
    for (const [name, values] of columnsOf(byCaption)) means[name] = await bootstrapMean(values, options);
    const time = await summariseTimes(drawings, options);
    done.push({ plan, images: drawings.length, time, distances, byCaption: means });
  }

  const reference = referenceRow(rows.map(({ plan }) => plan));
  const comparisons: Comparison[] = [];
  for (const row of rows.keys()) {
    if (row === reference) continue;
    const [own, other] = [rows[reference]!, rows[row]!];
    const frechet: Verdict[] = [];
    for (const n of real.keys()) {
      const [a, b] = [kept[reference]![n]!.replay(), kept[row]![n]!.replay()];
      frechet.push(verdictOf(await bootstrapDifference(captions[row]!, a, b, centred), "small"));
    }
    const verdicts: Partial<Record<CaptionColumn, Verdict>> = {};
    for (const [name, values] of columnsOf(own.byCaption)) {
      const against = other.byCaption[name];
      if (against === undefined) continue;
      const difference = await bootstrapDifference(values.length, meanOf(values), meanOf(against), options);
      verdicts[name] = verdictOf(difference, captionColumns[name]);
    }
    const timesAsFast = done[row]!.time.secondsPerPicture.value / done[reference]!.time.secondsPerPicture.value;
    comparisons.push({ row, timesAsFast, frechet, byCaption: verdicts });
  }
  return { rows: done, reference, comparisons };
}

function columnsOf(
  byCaption: Readonly<Partial<Record<CaptionColumn, Float64Array>>>,
): readonly (readonly [CaptionColumn, Float64Array])[] {
  return Object.entries(byCaption) as [CaptionColumn, Float64Array][];
}

/** Pictures from which on `frechetInfinity` lays a line. */
const leastForLine = 20;

/** Neighbours that balls of precision and recall reach to. */
const neighbours = 5;

async function furtherDistances(
  products: Products,
  real: Features,
  statistics: FeatureStatistics,
  drawn: Features,
): Promise<Omit<FeatureColumns, "frechet" | "conditionalFrechet">> {
  const counts = [real.rows.shape[0]!, drawn.rows.shape[0]!] as const;
  const infinity = counts[1] < leastForLine ? undefined : (await frechetInfinity(products, statistics, drawn)).distance;
  const { distance: kernel } = await kernelDistance(products, real, drawn);
  const manifold =
    Math.min(...counts) <= neighbours ? undefined : await manifoldMeasures(products, real, drawn, neighbours);
  const features = describeFeatures(drawn.identity);
  // One split: of some hundreds of pictures, ten would each be too small.
  const score = drawn.logits === undefined ? undefined : inceptionScore(drawn, { splits: 1 }).score;
  return { features, frechetInfinity: infinity, kernel, inceptionScore: score, manifold, counts };
}

/** Each drawn picture against the real one of its caption. */
async function conditionalOf(
  products: Products,
  paired: PairedFindings | undefined,
  network: number,
  drawn: Features,
  perCaption: number,
): Promise<number | undefined> {
  if (paired === undefined) return undefined;
  const captions = Int32Array.from({ length: drawn.rows.shape[0]! }, (_, i) => Math.floor(i / perCaption));
  const { name, rows } = paired.conditions;
  const conditions = { name, rows: selectRows(rows, captions) };
  const real = selectFeatures(paired.real[network]!, captions);
  return (await conditionalFrechetDistance(products, real, drawn, conditions)).distance;
}
