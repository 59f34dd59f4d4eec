import { readFile } from "node:fs/promises";
import { UsageError } from "../../errors.ts";
import { bootstrapDefaults } from "../../evaluation/bootstrap.ts";
import { captionConditions } from "../../evaluation/caption-conditions.ts";
import { evaluationReport, type ReportSheet } from "../../evaluation/evaluation-report.ts";
import { type EvaluationSplit, encodeSplit, type SplitPictures } from "../../evaluation/evaluation-split.ts";
import { decodeFeatures } from "../../evaluation/feature-file.ts";
import type { FeatureIdentity, Features } from "../../evaluation/features.ts";
import { runtimeProducts } from "../../evaluation/products.ts";
import { type Table2, table2 } from "../../evaluation/table2.ts";
import { type RowPlan, rowKey, rowTitle } from "../../evaluation/table2-plan.ts";
import { tableCsv, tableJson, tableMarkdown, tableText } from "../../evaluation/table2-text.ts";
import { interleavedTurns } from "../../evaluation/timing.ts";
import type { JsonObject } from "../../formats/json.ts";
import { toPixels } from "../../generate/pixels.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { PictureSet } from "../../training/data/picture-set.ts";
import type { HubOptions } from "../hub/snapshot.ts";
import type { LoraChoice } from "../lora-choice.ts";
import type { OpenedModel } from "../open-model.ts";
import { encodePng } from "../picture-files.ts";
import { type Drawer, type DrawingSetting, openDrawer } from "./drawer.ts";
import { type EvaluationFolder, evaluationFiles, openEvaluationFolder, type Shard } from "./evaluation-folder.ts";
import { type MeasureWishes, openMeasures } from "./measure-files.ts";
import { measureRows } from "./measure-rows.ts";
import { tilesPng } from "./tiles.ts";

/** What is evaluated, with all choices made. */
export interface Evaluation {
  readonly opened: OpenedModel;
  readonly rows: readonly RowPlan[];
  /** LoRAs of all rows, such as a style's. */
  readonly loras: readonly LoraChoice[];
  /** The acceleration vector of the rows that are accelerated. */
  readonly lcm: LoraChoice | undefined;
  readonly set: PictureSet;
  readonly split: EvaluationSplit;
  readonly pictures: SplitPictures;
  readonly perCaption: number;
  readonly seed: number;
  /** Captions to choose from; 0 leaves retrieval out. */
  readonly candidates: number;
  /** At which retrieval asks. */
  readonly timesteps: readonly number[];
  readonly resamples: number;
  readonly measures: MeasureWishes;
  /** A file of features of the real pictures that was made before. */
  readonly realFeatures?: string | undefined;
  /** All that decides on pictures, for the folder and the report. */
  readonly settings: JsonObject;
}

export interface EvaluationRun {
  readonly out: string;
  readonly resume: boolean;
  readonly keep: boolean;
  readonly shard: Shard;
  readonly signal: AbortSignal;
  readonly hub: HubOptions;
  readonly onProgress: (what: string, done: number, total: number) => void;
}

/** An evaluation that is done, or undefined where other shards still draw. */
export interface EvaluationOutcome {
  readonly table: Table2;
  readonly notes: readonly string[];
  readonly json: JsonObject;
  readonly text: string;
  readonly markdown: string;
  readonly csv: string;
  readonly report: string;
}

/** Settings that may differ when an evaluation goes on: no picture that was drawn depends on them. */
const freeKeys: readonly string[] = ["rows", "captions", "real", "measures", "candidates", "resamples"];

/**
 * Draws what is missing, measures all pictures and writes the table and the report into the folder.
 * @returns undefined when other shards have not drawn all pictures yet
 * @throws UsageError when the folder or a file does not fit; DOMException `AbortError` when stopped, all pictures being kept
 */
export async function runEvaluation(
  runtime: Runtime,
  evaluation: Evaluation,
  run: EvaluationRun,
): Promise<EvaluationOutcome | undefined> {
  const { rows, pictures, perCaption, settings } = evaluation;
  const { out, resume, shard, signal, onProgress } = run;
  // Networks that measure are opened first: what is wrong with them is told before hours of drawing.
  await using measures = await openMeasures(runtime, evaluation.measures, run.hub);
  const realFeatures = await readRealFeatures(evaluation.realFeatures, measures.features[0]!.identity);
  await using folder = await openEvaluationFolder(out, { config: settings, resume, shard, freeKeys });
  await folder.write(evaluationFiles.split, encodeSplit(evaluation.split));
  await using drawer = await openDrawer(evaluation.opened, runtime, 2);
  await drawMissing(folder, drawer, evaluation, run);
  const count = pictures.captions.length * perCaption;
  const drawn = (await folder.drawn()).filter(({ place }) => place < count);
  const keys = new Set(rows.map(rowKey));
  if (drawn.filter(({ row }) => keys.has(row)).length < count * rows.length) return undefined;

  const judge =
    evaluation.candidates < 2
      ? undefined
      : {
          networks: await drawer.plain(),
          model: drawer.model,
          candidates: evaluation.candidates,
          timesteps: evaluation.timesteps,
        };
  const findings = await measureRows(
    folder,
    drawn,
    {
      rows,
      captions: pictures.captions,
      perCaption,
      counterparts: pictures.drawn,
      real: pictures.real,
      ...(realFeatures === undefined ? {} : { realFeatures }),
      conditions: await captionConditions(await drawer.plain(), drawer.model, pictures.captions, signal),
      all: evaluation.set.entries,
      decode: { size: drawer.size },
    },
    measures,
    judge,
    { signal, onProgress },
  );
  onProgress("comparing", 0, 1);
  const products = runtimeProducts(runtime);
  try {
    const interval = { ...bootstrapDefaults, resamples: evaluation.resamples, seed: evaluation.seed };
    const table = await table2(products, findings, interval);
    const notes = [...measures.notes, ...notesOf(evaluation, measures.lpips?.name, measures.clip?.name, table)];
    const outcome = {
      table,
      notes,
      json: tableJson(table, { notes, settings }),
      text: tableText(table, notes),
      markdown: tableMarkdown(table, notes),
      csv: tableCsv(table),
    };
    const sheets = await sheetsOf(folder, evaluation);
    const title = `Samplers of ${evaluation.opened.files.name} compared`;
    await folder.write("table.json", `${JSON.stringify(outcome.json, undefined, 1)}\n`);
    await folder.write("table.txt", outcome.text);
    await folder.write("table.md", outcome.markdown);
    await folder.write("table.csv", outcome.csv);
    const report = await folder.write(
      evaluationFiles.report,
      evaluationReport({ title, table, notes, sheets, settings }),
    );
    if (run.keep) return { ...outcome, report };
    await folder.forgetPictures();
    return { ...outcome, report };
  } finally {
    await products.dispose();
  }
}

async function readRealFeatures(path: string | undefined, expected: FeatureIdentity): Promise<Features | undefined> {
  if (path === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new UsageError(`${path}: the features of real pictures cannot be read (${(cause as Error).message}).`, {
      cause,
    });
  }
  return decodeFeatures(bytes, path, expected);
}

/** How a row draws. */
function settingOf({ loras, lcm }: Evaluation, plan: RowPlan): DrawingSetting {
  const { sampler, choices, steps, guidanceScale, accelerated } = plan;
  const added = accelerated && lcm !== undefined ? [lcm, ...loras] : loras;
  return { loras: added, sampler, choices, steps, guidanceScale };
}

/** Draws the pictures of this shard that no log names, the samplers taking turns. */
async function drawMissing(
  folder: EvaluationFolder,
  drawer: Drawer,
  evaluation: Evaluation,
  { shard, signal, onProgress }: EvaluationRun,
): Promise<void> {
  const { rows, pictures, perCaption, seed } = evaluation;
  const count = pictures.captions.length * perCaption;
  const known = new Set((await folder.drawn()).map(({ row, place }) => `${row} ${place}`));
  const total = rows.length * count;
  // A place is drawn once by each row in the same round, so that a slow minute of the machine meets all rows.
  const todo: { readonly row: number; readonly place: number }[] = [];
  for (const [i, { sampler }] of interleavedTurns(rows.length, count, 0, seed).entries()) {
    const place = Math.floor(i / rows.length);
    if (place % shard.of !== shard.number - 1 || known.has(`${rowKey(rows[sampler]!)} ${place}`)) continue;
    todo.push({ row: sampler, place });
  }
  if (todo.length === 0) return;
  onProgress("warming up", 0, rows.length);
  for (const [r, plan] of rows.entries()) {
    if (!todo.some(({ row }) => row === r)) continue;
    await drawer.draw(settingOf(evaluation, plan), pictures.captions[0]!, seed, signal);
    onProgress("warming up", r + 1, rows.length);
  }
  let done = known.size;
  for (const { row, place } of todo) {
    const plan = rows[row]!;
    const caption = pictures.captions[Math.floor(place / perCaption)]!;
    const { pixels, seconds, networkCalls } = await drawer.draw(
      settingOf(evaluation, plan),
      caption,
      seed + place,
      signal,
    );
    const texts = { caption, sampler: rowTitle(plan) };
    const record = { row: rowKey(plan), place, seconds, networkCalls };
    await folder.keep(record, await encodePng(toPixels(pixels), texts));
    onProgress("drawing", ++done, total);
  }
}

/** What must be said beside the numbers. */
function notesOf(
  { pictures, perCaption, resamples, candidates, opened }: Evaluation,
  lpips: string | undefined,
  clip: string | undefined,
  { rows }: Table2,
): string[] {
  const [first] = rows;
  const distances = first?.distances ?? [];
  return [
    `${pictures.captions.length} captions, ${perCaption} ${perCaption === 1 ? "picture" : "pictures"} of each, from the same seeds in all rows; ${pictures.real.length} real pictures.`,
    ...distances.map(
      ({ features, counts, frechetInfinity, inceptionScore }) =>
        `Frechet and kernel distance by the features of ${features}; ${counts[0]} real and ${counts[1]} drawn pictures. The first is not corrected for their number${frechetInfinity === undefined ? "; 20 drawn pictures are the least that it is extrapolated from" : "; at infinity it is extrapolated to infinitely many drawn ones"}. JSON and CSV hold the conditional distance, too${inceptionScore === undefined ? "" : ", and the inception score"}.`,
    ),
    ...(lpips === undefined ? [] : [`${lpips}: to real is the distance from the real picture of the same caption.`]),
    ...(clip === undefined ? [] : [`CLIP score by ${clip}.`]),
    ...(clip === undefined && candidates > 1
      ? [
          `Retrieval is the share of pictures whose own caption, of ${candidates}, explains them best to ${opened.files.name} without LoRAs; chance is ${(1 / candidates).toFixed(3)}.`,
        ]
      : []),
    `Brackets hold 95 % intervals over captions (${resamples} resamples); a difference within its interval is a tie. Times are medians of warm drawings, from prompt to pixels, one picture at a time, the samplers taking turns.`,
  ];
}

/** Captions on a sheet. */
const sheetCaptions = 12;

/** The real pictures and, below them, each row's. */
async function sheetsOf(folder: EvaluationFolder, { rows, pictures, perCaption }: Evaluation): Promise<ReportSheet[]> {
  const captions = pictures.captions.slice(0, sheetCaptions);
  const names = ["real", ...rows.map(rowTitle)].join(", ");
  const caption = `Rows: ${names}. Columns: ${captions.join("; ")}.`;
  const file = `sheet-${captions.length}-${rows.map(rowKey).join("-")}.png`;
  const known = await folder.measured(file);
  if (known !== undefined) return [{ caption, png: known }];
  const shownReal: Uint8Array[] = [];
  for (const entry of pictures.drawn.slice(0, captions.length)) shownReal.push(await entry.read());
  const lines: Uint8Array[][] = [shownReal];
  for (const plan of rows) {
    const line: Uint8Array[] = [];
    for (const place of captions.keys()) line.push(await folder.picture(rowKey(plan), place * perCaption));
    lines.push(line);
  }
  const png = await tilesPng(lines, 88);
  await folder.keepMeasured(file, png);
  return [{ caption, png }];
}
