import { captionRetrieval, otherPlaces, type RetrievalItem } from "../../evaluation/caption-retrieval.ts";
import { clipScore } from "../../evaluation/clip-score.ts";
import type { Conditions } from "../../evaluation/conditional-frechet.ts";
import { decodeFeatures, encodeFeatures } from "../../evaluation/feature-file.ts";
import type { FeatureNetwork, Features } from "../../evaluation/features.ts";
import { lpipsDiversity, lpipsToCounterparts } from "../../evaluation/lpips-uses.ts";
import type { CaptionColumn, Findings, RowFindings } from "../../evaluation/table2.ts";
import { type RowPlan, rowKey, teacherRow } from "../../evaluation/table2-plan.ts";
import type { Model } from "../../generate/model.ts";
import type { Networks } from "../../generate/networks.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { plainCaption } from "../../training/data/captions.ts";
import type { PictureEntry } from "../../training/data/picture-set.ts";
import { type DecodeSettings, decodePicture } from "../decode-picture.ts";
import type { DrawnRecord, EvaluationFolder } from "./evaluation-folder.ts";
import type { MeasureNetworks } from "./measure-files.ts";

type Picture = Tensor<"float32">;

/** What is measured. */
export interface MeasuredSet {
  readonly rows: readonly RowPlan[];
  readonly captions: readonly string[];
  readonly perCaption: number;
  /** The pictures whose captions were drawn, in their order. */
  readonly counterparts: readonly PictureEntry[];
  /** For the statistics. */
  readonly real: readonly PictureEntry[];
  /** Features of real pictures by the first network, where they were made before. */
  readonly realFeatures?: Features;
  /** The captions as a text encoder has them, for a distance given the captions. */
  readonly conditions: Conditions;
  /** All pictures of the set, for captions that are not a picture's own. */
  readonly all: readonly PictureEntry[];
  readonly decode: DecodeSettings;
}

/** The model that names captions for pictures. */
export interface Judge {
  readonly networks: Networks;
  readonly model: Model;
  /** Captions to choose from, its own among them. */
  readonly candidates: number;
  readonly timesteps: readonly number[];
}

export interface MeasureOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (what: string, done: number, total: number) => void;
}

/**
 * Measures all pictures of an evaluation; what was measured before is read again.
 * @throws UsageError when features were made by another network, or sizes differ
 */
export async function measureRows(
  folder: EvaluationFolder,
  drawn: readonly DrawnRecord[],
  set: MeasuredSet,
  measures: MeasureNetworks,
  judge: Judge | undefined,
  options: MeasureOptions,
): Promise<Findings> {
  const { rows, captions, perCaption, decode } = set;
  const { signal, onProgress } = options;
  const total = rows.length + 1;
  onProgress("measuring the real pictures", 0, total);
  const real: Features[] = [];
  for (const [n, network] of measures.features.entries()) {
    const given = n === 0 ? set.realFeatures : undefined;
    real.push(
      given ?? (await featuresOf(folder, `real-${set.real.length}`, network, decoded(set.real, decode), signal)),
    );
  }
  const pairedReal: Features[] = [];
  for (const network of measures.features) {
    const name = `counterparts-${captions.length}`;
    pairedReal.push(await featuresOf(folder, name, network, decoded(set.counterparts, decode), signal));
  }
  const count = captions.length * perCaption;
  const picturesOf = (row: RowPlan): (() => Promise<Picture[]>) =>
    once(async () => {
      const all: Picture[] = [];
      for (let place = 0; place < count; place++) {
        const name = `${rowKey(row)}/${place}`;
        all.push(await decodePicture(await folder.picture(rowKey(row), place), name, decode));
      }
      return all;
    });
  const own = once(async () => {
    const all: Picture[] = [];
    for await (const picture of decoded(set.counterparts, decode)) all.push(picture);
    return all;
  });
  const teacher = teacherRow(rows);
  const taught = teacher === undefined ? undefined : picturesOf(rows[teacher]!);
  const findings: RowFindings[] = [];
  for (const [r, plan] of rows.entries()) {
    onProgress("measuring", r + 1, total);
    const key = rowKey(plan);
    const mine = picturesOf(plan);
    const features: Features[] = [];
    for (const network of measures.features)
      features.push(await featuresOf(folder, `${key}-${count}`, network, later(mine), signal));
    const byCaption: Partial<Record<CaptionColumn, Float64Array>> = {};
    const numbers = async (
      column: CaptionColumn,
      network: string,
      each: () => Promise<Float64Array>,
    ): Promise<void> => {
      const name = `${key}-${count}-${column}.json`;
      byCaption[column] = meansByCaption(await numbersOf(folder, name, network, each), captions.length);
    };
    const { lpips, clip } = measures;
    if (lpips !== undefined) {
      await numbers("lpips", lpips.name, async () => {
        const real = await own();
        const counterparts = Array.from({ length: count }, (_, i) => real[Math.floor(i / perCaption)]!);
        return (await lpipsToCounterparts(lpips, "real", await mine(), counterparts, { signal })).each;
      });
      if (taught !== undefined && r !== teacher)
        await numbers("lpipsTeacher", lpips.name, async () => {
          return (await lpipsToCounterparts(lpips, "teacher", await mine(), await taught(), { signal })).each;
        });
      if (perCaption > 1)
        await numbers("lpipsDiversity", lpips.name, async () => {
          const all = await mine();
          const groups = captions.map((_, c) => all.slice(c * perCaption, (c + 1) * perCaption));
          return (await lpipsDiversity(lpips, groups, { signal })).each;
        });
    }
    if (clip !== undefined)
      await numbers("clipScore", clip.name, async () => {
        const texts = Array.from({ length: count }, (_, i) => captions[Math.floor(i / perCaption)]!);
        return (await clipScore(clip, await clip.pictures.extract(await mine(), { signal }), texts, { signal })).each;
      });
    else if (judge !== undefined) {
      const { networks, model, candidates, timesteps } = judge;
      await numbers("captionRetrieval", `${model.name} ${candidates} ${timesteps.join()}`, async () => {
        const items = retrievalItems(set, await mine(), candidates);
        return (await captionRetrieval(networks, model, items, { signal, timesteps })).each;
      });
    }
    findings.push({ plan, drawings: drawingsOf(drawn, key, count), features, byCaption });
  }
  return { perCaption, real, paired: { real: pairedReal, conditions: set.conditions }, rows: findings };
}

/** One picture of each caption, with captions of other subjects in its style, or of any where there are too few. */
function retrievalItems(
  { counterparts, captions, perCaption, all }: MeasuredSet,
  pictures: readonly Picture[],
  candidates: number,
): RetrievalItem[] {
  return captions.map((caption, place) => {
    const entry = counterparts[place]!;
    const others = all.filter((one) => one.style === entry.style && one.subject !== entry.subject);
    const pool = others.length >= candidates - 1 ? others : all.filter((one) => plainCaption(one) !== caption);
    const chosen = otherPlaces(pool.length, candidates - 1, place);
    const picture = pictures[place * perCaption]!;
    return { picture, captions: [caption, ...Array.from(chosen, (i) => plainCaption(pool[i]!))] };
  });
}

/** The drawings of a row in their order. */
function drawingsOf(drawn: readonly DrawnRecord[], key: string, count: number): RowFindings["drawings"] {
  const own = drawn.filter(({ row, place }) => row === key && place < count).sort((a, b) => a.place - b.place);
  return own.map(({ seconds, networkCalls }) => ({ seconds, networkCalls, pictures: 1 }));
}

/** The same promise at every call. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Pictures that are read when the first is asked for. */
async function* later(pictures: () => Promise<readonly Picture[]>): AsyncGenerator<Picture> {
  yield* await pictures();
}

async function* decoded(entries: readonly PictureEntry[], settings: DecodeSettings): AsyncGenerator<Picture> {
  for (const entry of entries) yield decodePicture(await entry.read(), entry.name, settings);
}

async function featuresOf(
  folder: EvaluationFolder,
  name: string,
  network: FeatureNetwork,
  pictures: Iterable<Picture> | AsyncIterable<Picture>,
  signal: AbortSignal,
): Promise<Features> {
  const file = `${name}-${network.identity.network.replaceAll(" ", "-")}.safetensors`;
  const bytes = await folder.measured(file);
  if (bytes !== undefined) return decodeFeatures(bytes, file, network.identity);
  const features = await network.extract(pictures, { signal });
  await folder.keepMeasured(file, encodeFeatures(features));
  return features;
}

/** Numbers that were measured before by the same network, or are measured now. */
async function numbersOf(
  folder: EvaluationFolder,
  name: string,
  network: string,
  measure: () => Promise<Float64Array>,
): Promise<Float64Array> {
  const bytes = await folder.measured(name);
  if (bytes !== undefined) {
    const known = JSON.parse(new TextDecoder().decode(bytes)) as { network: string; each: number[] };
    if (known.network === network) return Float64Array.from(known.each);
  }
  const each = await measure();
  await folder.keepMeasured(name, `${JSON.stringify({ network, each: [...each] })}\n`);
  return each;
}

/** Means over the numbers of each caption. */
function meansByCaption(each: Float64Array, captions: number): Float64Array {
  const count = each.length / captions;
  return Float64Array.from({ length: captions }, (_, c) => {
    return each.subarray(c * count, (c + 1) * count).reduce((sum, x) => sum + x, 0) / count;
  });
}
