/**
 * Trains the short runs of ablation-runs.ts one after another, measures each, and writes docs/distillation.json and the tables
 * of docs/distillation.md. What is done is not done again; a run that was stopped goes on.
 *
 *     npm run model:pictures && npm run model:ablations [-- --only NAME,NAME] [--tables]
 *
 * `--tables` writes the page from the figures that there are.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { main } from "../../src/cli/main.ts";
import type { JsonObject } from "../../src/formats/json.ts";
import { runTraining } from "../../src/node/jobs/run-training.ts";
import { openPictures } from "../../src/node/open-pictures.ts";
import { parseTrainingConfig } from "../../src/training/config/parse.ts";
import { plainCaption } from "../../src/training/data/captions.ts";
import { type AblationRun, ablationRuns } from "./ablation-runs.ts";
import { type AblationResult, distillationTables } from "./ablation-tables.ts";

const [runs, model, results, page] = [
  "runs/ablations",
  "models/fourstep-64",
  "docs/distillation.json",
  "docs/distillation.md",
] as const;
/** Steps of 16 pictures. */
const steps = 120;
const heldOutPrompts = 24;

/** Captions that no training saw. */
async function heldOutCaptions(): Promise<string[]> {
  const { entries } = await openPictures("runs/pictures/base");
  return entries
    .filter(({ split }) => split === "heldout")
    .slice(0, heldOutPrompts)
    .map(plainCaption);
}

async function configOf({ name, kind, changes }: AblationRun): Promise<JsonObject> {
  const common: JsonObject = {
    data: "runs/pictures/base",
    output: join(runs, name),
    base: model,
    size: 64,
    steps,
    batchSize: 16,
    rate: 3e-4,
    warmup: 10,
    schedule: "lastThird",
    optimizer: { beta2: 0.99, weightDecay: 0 },
    emaDecay: 0.95,
    averagedTarget: true,
    seed: 1,
    rank: 32,
    omegaMin: 2,
    omegaMax: 5,
    checkpointEvery: 20,
  };
  const measure = { prompts: await heldOutCaptions(), seed: 7 };
  return kind === "lcd" ? { ...common, measureEvery: 40, measure, ...changes } : { ...common, ...changes };
}

/** What `fourstep evaluate --json` says of one row. */
async function evaluate(
  out: string,
  ...words: readonly string[]
): Promise<Pick<AblationResult, "frechet" | "lpips" | "features" | "images">> {
  let text = "";
  const code = await main(
    ["evaluate", ...words, "--out", out, "--resume", "--keep", "--per-caption", "1", "--candidates", "1", "--json"],
    {
      stdout: { write: (part) => (text += part) },
      stderr: process.stderr,
      env: process.env,
      signal: new AbortController().signal,
    },
  );
  if (code !== 0) throw new Error(`fourstep evaluate ended with ${code}.`);
  const [row] = (JSON.parse(text) as { readonly rows: readonly AblationResult[] }).rows;
  const { frechet, lpips, features, images } = row!;
  return { frechet, lpips, features, images };
}

async function run(one: AblationRun): Promise<AblationResult> {
  const json = await configOf(one);
  const config = parseTrainingConfig(one.kind, json, one.name);
  const begun = performance.now();
  const outcome = await runTraining(one.kind, config, {
    resume: true,
    signal: new AbortController().signal,
    onNotice: (sentence) => console.log(`${one.name}: ${sentence}`),
    onProgress: () => {},
    onStep: ({ step, loss }) => {
      if (step % 20 === 0) console.log(`${one.name}: step ${step}, loss ${loss.toPrecision(4)}`);
    },
  });
  console.log(`${one.name}: trained in ${Math.round((performance.now() - begun) / 1000)} s`);
  const [file] = outcome.files;
  const full = file!.endsWith("model");
  const what = full ? ["--model", file!, "--row", "lcm:4:4.5"] : ["--model", model, "--lora", file!, "--row", "lcm:4"];
  const data = one.question === "style" ? "runs/pictures/3d" : "runs/pictures/base";
  const found = await evaluate(join(runs, one.name, "evaluation"), ...what, "--data", data);
  return {
    name: one.name,
    steps,
    distance: outcome.kept?.measure ?? null,
    kept: outcome.kept?.step ?? steps,
    ...found,
  };
}

/** What needs no training: the shipped LCM-LoRA, and with it a style LoRA that it never met. */
const untrained: readonly (readonly [name: string, ...words: string[]])[] = [
  ["shipped", "--row", "lcm:4", "--data", "runs/pictures/base"],
  ["base-4", "--row", "ddim:4:4.5", "--data", "runs/pictures/base"],
  ["vectors-3d", "--row", "lcm:4", "--style", "style-3d:0.8", "--data", "runs/pictures/3d"],
  ["style-3d-32", "--row", "ddim:32:4", "--style", "style-3d:0.8", "--data", "runs/pictures/3d"],
  ["no-style-3d", "--row", "lcm:4", "--data", "runs/pictures/3d"],
];

async function known(): Promise<AblationResult[]> {
  return existsSync(results) ? (JSON.parse(await readFile(results, "utf8")) as AblationResult[]) : [];
}

async function keep(result: AblationResult): Promise<void> {
  const others = (await known()).filter(({ name }) => name !== result.name);
  await writeFile(results, `${JSON.stringify([...others, result], undefined, 1)}\n`);
}

async function writePage(): Promise<void> {
  const text = await readFile(page, "utf8");
  await writeFile(page, distillationTables(text, await known(), ablationRuns));
}

const { values } = parseArgs({ options: { only: { type: "string" }, tables: { type: "boolean", default: false } } });
const wanted = values.only?.split(",");
const isDue = async (name: string): Promise<boolean> =>
  (wanted === undefined || wanted.includes(name)) && !(await known()).some((result) => result.name === name);
if (!values.tables) {
  for (const one of ablationRuns) if (await isDue(one.name)) await keep(await run(one));
  for (const [name, ...words] of untrained) {
    if (!(await isDue(name))) continue;
    const found = await evaluate(join(runs, name), "--model", model, ...words);
    await keep({ name, steps: 0, distance: null, kept: 0, ...found });
  }
}
await writePage();
