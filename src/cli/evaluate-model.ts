import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { encodeSplit, splitPictures } from "../evaluation/evaluation-split.ts";
import type { InceptionResizing } from "../evaluation/open-feature-network.ts";
import { parseRow, type RowPlan, rowKey, table2Rows, type UsualGuidance } from "../evaluation/table2-plan.ts";
import type { JsonObject } from "../formats/json.ts";
import { planDrawing } from "../generate/plan.ts";
import { naturalSize } from "../generate/size.ts";
import { restartForModel } from "../node/allocator.ts";
import { chooseSet, chooseSplit } from "../node/evaluate/choose-set.ts";
import type { EvaluationOutcome } from "../node/evaluate/run-evaluation.ts";
import { runEvaluation } from "../node/evaluate/run-evaluation.ts";
import { resolveModel } from "../node/hub/models.ts";
import type { HubOptions } from "../node/hub/snapshot.ts";
import { type LoraChoice, parseLoraChoice } from "../node/lora-choice.ts";
import { loraLibrary, loraName, ownLcmLora, ownLoraFolder } from "../node/lora-files.ts";
import { loraHash } from "../node/lora-hash.ts";
import { adaptedModel, type OpenedModel, openModel, readLoras } from "../node/open-model.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Device } from "../runtime/runtime.ts";
import { group } from "../training/progress.ts";
import type { CliContext } from "./command.ts";
import { fetchOptions } from "./fetching.ts";
import { StageDisplay } from "./stage-display.ts";

/** What `fourstep evaluate` was told. */
export interface EvaluateOptions {
  readonly model?: string;
  readonly variant?: string;
  readonly lora?: string;
  readonly style?: readonly string[];
  readonly loraDir?: readonly string[];
  readonly data?: string;
  readonly split?: string;
  readonly row?: readonly string[];
  readonly guidance?: number;
  readonly captions?: number;
  readonly perCaption?: number;
  readonly real?: number;
  readonly seed: number;
  readonly features?: readonly string[];
  readonly resizing?: InceptionResizing;
  readonly measures?: readonly string[];
  readonly realFeatures?: string;
  readonly clip?: string;
  readonly candidates?: number;
  readonly resamples?: number;
  readonly quick: boolean;
  readonly device: Device;
  readonly out?: string;
  readonly resume: boolean;
  readonly keep: boolean;
  readonly shard?: { readonly number: number; readonly of: number };
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly markdown?: boolean;
}

/** How much is drawn and measured where nothing is said: all captions of the split, or so many. */
const usual = {
  whole: {
    captions: undefined,
    perCaption: 4,
    real: undefined,
    candidates: 16,
    resamples: 200,
    timesteps: [400, 600, 800],
  },
  quick: { captions: 12, perCaption: 1, real: 100, candidates: 8, resamples: 50, timesteps: [600] },
} as const;

/**
 * Compares samplers on a model, and prints the table.
 * @throws FourstepError when something that was given cannot be used; DOMException `AbortError` when the user stops it
 */
export async function evaluateModel(options: EvaluateOptions, context: CliContext): Promise<void> {
  const { stdout, stderr, signal } = context;
  const shard = options.shard ?? { number: 1, of: 1 };
  if (options.out === undefined && (shard.of > 1 || options.resume))
    throw new UsageError("--shard and --resume need the folder of the evaluation; name it with --out.");
  const hub = fetchOptions(context);
  const { path } = await resolveModel(options.model ?? shippedModelFolder(), options.variant, hub);
  if (stdout === process.stdout) await restartForModel(path);
  const opened = await openModel(path);
  const runtime = onnxRuntime({ device: options.device });
  const display = new StageDisplay(stderr);
  const temporary = options.out === undefined && options.quick;
  const out = temporary ? await mkdtemp(join(tmpdir(), "fourstep-evaluate-")) : (options.out ?? "evaluation");
  let outcome: EvaluationOutcome | undefined;
  try {
    const chosen = await chooseEvaluation(opened, path, options, hub);
    outcome = await runEvaluation(runtime, chosen, {
      out,
      resume: options.resume,
      keep: options.keep,
      shard,
      signal,
      hub,
      onProgress: (what, done, total) => display.show(what, done, total),
    });
  } finally {
    display.end();
    await runtime.dispose();
    await opened.folder.close();
    if (temporary) await rm(out, { recursive: true, force: true });
    else if (signal.aborted)
      stderr.write(`what was drawn is kept in ${out}; go on with the same words and --resume.\n`);
  }
  if (outcome === undefined) {
    stderr.write("This shard is done; the one that ends last measures, or this one with --resume then.\n");
    return;
  }
  if (!temporary) stderr.write(`report: ${outcome.report}\n`);
  stdout.write(
    options.json
      ? `${JSON.stringify({ ...outcome.json, ...(temporary ? {} : { output: out, report: outcome.report }) })}\n`
      : options.csv
        ? outcome.csv
        : options.markdown
          ? outcome.markdown
          : outcome.text,
  );
}

/** All choices, and what is wrong with them before anything is drawn. */
async function chooseEvaluation(
  opened: OpenedModel,
  model: string,
  options: EvaluateOptions,
  hub: HubOptions,
): Promise<Parameters<typeof runEvaluation>[1]> {
  const amounts = usual[options.quick ? "quick" : "whole"];
  const perCaption = options.perCaption ?? amounts.perCaption;
  const { lcm, loras } = await chooseLoras(model, options, hub);
  await readLoras(opened.files, lcm === undefined ? loras : [lcm, ...loras]);
  const rows = chooseRows(opened, lcm, options);
  const { seed } = options;
  const set = await chooseSet(options.data, model);
  const split = await chooseSplit(set, { named: options.split, model, seed });
  const captions = options.captions ?? amounts.captions;
  const real = options.real ?? amounts.real;
  const limits = {
    perCaption,
    ...(captions === undefined ? {} : { captions }),
    ...(real === undefined ? {} : { real }),
  };
  const pictures = splitPictures(set, split, limits);
  const candidates = Math.min(options.candidates ?? amounts.candidates, set.entries.length);
  const resamples = options.resamples ?? amounts.resamples;
  const described = async (choice: LoraChoice): Promise<string> =>
    `${loraName(choice.path)}:${choice.weight} (${await loraHash(choice.path)})`;
  const { width, height } = naturalSize(await adaptedModel(opened, []));
  const settings: JsonObject = {
    model: opened.files.name,
    lcmLora: lcm === undefined ? null : await described(lcm),
    loras: await Promise.all(loras.map(described)),
    size: `${width}x${height}`,
    data: set.place,
    split: createHash("sha256").update(encodeSplit(split)).digest("hex").slice(0, 12),
    seed,
    perCaption,
    captions: group(pictures.captions.length),
    real: group(pictures.real.length),
    rows: rows.map(rowKey),
    measures: [...(options.features ?? []), ...(options.measures ?? []), ...(options.clip ? [options.clip] : [])],
    candidates,
    resamples,
  };
  const { features, measures, resizing, clip } = options;
  const wishes = {
    ...(features === undefined ? {} : { features }),
    ...(measures === undefined ? {} : { measures }),
    ...(resizing === undefined ? {} : { resizing }),
    ...(clip === undefined ? {} : { clip }),
  };
  const { realFeatures } = options;
  return {
    ...{ opened, rows, loras, lcm, set, split, pictures, perCaption, seed, candidates, resamples },
    timesteps: amounts.timesteps,
    ...{ measures: wishes, realFeatures, settings },
  };
}

/** The acceleration vector, given or the model's own, and what is added to all rows. */
async function chooseLoras(
  model: string,
  { lora, style = [], loraDir = [] }: EvaluateOptions,
  hub: HubOptions,
): Promise<{ readonly lcm: LoraChoice | undefined; readonly loras: readonly LoraChoice[] }> {
  const own = await ownLoraFolder(model);
  const library = await loraLibrary(own === undefined ? loraDir : [...loraDir, own]);
  const loras: LoraChoice[] = [];
  for (const text of style) loras.push((await parseLoraChoice(text, library, hub)).choice);
  if (lora !== undefined) return { lcm: (await parseLoraChoice(lora, library, hub)).choice, loras };
  const path = await ownLcmLora(model);
  return { lcm: path === undefined ? undefined : { path, weight: 1 }, loras };
}

function chooseRows(opened: OpenedModel, lcm: LoraChoice | undefined, options: EvaluateOptions): readonly RowPlan[] {
  const { unet, scheduler, name } = opened.files;
  const full = unet.config.guidanceWidth !== undefined;
  const { _class_name: schedulerClass } = scheduler;
  const distilled = full || schedulerClass === "LCMScheduler";
  const guidance: UsualGuidance = {
    plain: options.guidance ?? planDrawing({ sampler: "ddim" }, "none").guidanceScale,
    accelerated: planDrawing({}, full ? "full" : "lcm-lora").guidanceScale,
  };
  const rows = options.row?.map((text) => parseRow(text, guidance)) ?? table2Rows(guidance);
  const usable = full && options.row === undefined ? rows.filter(({ accelerated }) => accelerated) : rows;
  const keys = usable.map(rowKey);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw new UsageError(`The row ${twice} was given twice; give each once.`);
  if (full && usable.some(({ accelerated }) => !accelerated))
    throw new UsageError(
      `${name} is a full latent consistency model, which draws with lcm alone; give rows such as lcm:4.`,
    );
  if (!distilled && lcm === undefined && usable.some(({ accelerated }) => accelerated))
    throw new UsageError(
      `${name} has no lora/lcm-lora.safetensors; give its LCM-LoRA by --lora, or rows that need none by --row.`,
    );
  return usable;
}
