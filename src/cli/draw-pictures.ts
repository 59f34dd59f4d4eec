import { randomInt } from "node:crypto";
import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { UsageError } from "../errors.ts";
import { encodePrompt, type PromptReading } from "../generate/conditioning.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { type Acceleration, planDrawing, planWarnings } from "../generate/plan.ts";
import type { LearnedWord } from "../generate/prompt/learned-words.ts";
import type { PromptSyntax } from "../generate/prompt/syntax.ts";
import type { Size } from "../generate/size.ts";
import { samplerForStrength } from "../generate/strength.ts";
import { restartForModel } from "../node/allocator.ts";
import { readEmbeddings } from "../node/embedding-files.ts";
import { resolveFiles, resolveModel } from "../node/hub/models.ts";
import { adaptedModel, type ChosenAdapter, type OpenedModel, openModel, readLoras } from "../node/open-model.ts";
import { makePictureFolder } from "../node/picture-files.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { type NamedSampler, samplerOfConfig } from "../samplers/names.ts";
import type { Sampler } from "../samplers/sampler.ts";
import { type AutoencoderWishes, autoencoderOptions, openAutoencoders, previewOf } from "./autoencoder-wishes.ts";
import { accelerationOf, chooseLoras } from "./choose-loras.ts";
import type { CliContext } from "./command.ts";
import { drawEvents } from "./draw-events.ts";
import { DrawingReport } from "./drawing-report.ts";
import { fetchOptions } from "./fetching.ts";
import { type GivenStart, planStart, readStart, type StartWishes } from "./given-start.ts";
import type { Drawing } from "./picture-settings.ts";
import { promptWarnings } from "./prompt-warnings.ts";
import { openingOptions, type SingleFileWishes } from "./single-file-wishes.ts";

/** What `fourstep generate` was told. */
export interface GenerateOptions extends StartWishes, AutoencoderWishes, SingleFileWishes {
  readonly model?: string;
  readonly variant?: string;
  readonly lora?: readonly string[];
  readonly embedding?: readonly string[];
  readonly lcm?: boolean;
  readonly sampler?: NamedSampler;
  readonly steps?: number;
  readonly guidance?: number;
  readonly negative?: string;
  readonly promptSyntax: PromptSyntax;
  readonly clipSkip: number;
  readonly seed?: number;
  readonly size?: Size;
  readonly count: number;
  readonly batch: number;
  readonly out: string;
  readonly json?: boolean;
  readonly preview: boolean;
}

/** Seeds that are drawn when none is given: as many as torch's generator for the CPU tells apart. */
const seeds = 2 ** 32;

/** A drawing with what carries it out. */
interface Prepared {
  readonly drawing: Drawing;
  readonly sampler: Sampler;
  readonly start: GivenStart | undefined;
  readonly reading: PromptReading;
  readonly warnings: readonly string[];
}

/**
 * Draws pictures, writes them, and says what was done.
 * @throws FourstepError when something that was given cannot be used, DOMException `AbortError` when the user stops it
 */
export async function drawPictures(prompt: string, options: GenerateOptions, context: CliContext): Promise<void> {
  const begin = performance.now();
  checkOut(options.out);
  const fetching = fetchOptions(context);
  const { path, name } = await resolveModel(options.model ?? shippedModelFolder(), options.variant, fetching);
  // A caller that looks at the output, such as a test, has no other process to look at.
  if (context.stdout === process.stdout) await restartForModel(path);
  const lora = await resolveFiles(options.lora, fetching);
  const embedding = await resolveFiles(options.embedding, fetching);
  const opened = await openModel(path, openingOptions(options, context.env));
  const runtime = onnxRuntime();
  try {
    const chosen = await chooseModel(path, opened, { ...options, lora });
    await using others = await openAutoencoders(chosen.model, options);
    const { model } = others;
    const learnedWords = await readEmbeddings(embedding, model);
    const made = { ...chosen, modelName: name, learnedWords, ...others };
    const prepared = await prepare(opened.files.scheduler, made, prompt, options);
    const { drawing, sampler, start, reading, warnings } = prepared;
    const autoencoder = autoencoderOptions(model, options, (sentence) => report.warn(sentence));
    await makePictureFolder(options.out);
    const report = new DrawingReport(drawing, sampler, options, context);
    for (const warning of warnings) report.warn(warning);
    const networks = createNetworks(runtime, model, autoencoder);
    const conditioning = await encodePrompt(networks, model, { ...drawing, reading }, context.signal);
    const { size, seed } = drawing;
    const preview = report.showsSteps ? { preview: previewOf(runtime, others, networks) } : {};
    const request = { conditioning, sampler, size, seed, count: options.count, batch: options.batch, ...preview };
    await report.follow(drawEvents(networks, model, request, start, context.signal));
    report.finish((performance.now() - begin) / 1000);
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}

/** A model with its LoRAs. */
interface ChosenModel {
  readonly model: Model;
  readonly adapters: readonly ChosenAdapter[];
  readonly acceleration: Acceleration;
}

async function chooseModel(path: string, opened: OpenedModel, options: GenerateOptions): Promise<ChosenModel> {
  const { sampler, ...wishes } = options;
  const choices = chooseLoras(path, sampler === undefined ? wishes : { ...wishes, sampler: sampler.name });
  const adapters = await readLoras(opened.files, choices);
  return {
    model: await adaptedModel(opened, adapters),
    adapters,
    acceleration: accelerationOf(opened.files, choices),
  };
}

/** What else a drawing is made with. */
interface DrawnWith {
  readonly modelName: string;
  /** Of another autoencoder. */
  readonly name: string | undefined;
  readonly learnedWords: readonly LearnedWord[];
}

/** Makes all choices, and finds what is wrong with them before anything is compiled. */
async function prepare(
  config: SchedulerConfig,
  { model, modelName, adapters, acceleration, learnedWords, name: vae }: ChosenModel & DrawnWith,
  prompt: string,
  options: GenerateOptions,
): Promise<Prepared> {
  const { sampler: named, steps, guidance: guidanceScale, negative: negativePrompt = "" } = options;
  // A model without acceleration is best drawn as its scheduler says.
  const samplerName = named?.name ?? (acceleration === "none" ? samplerOfConfig(config) : undefined);
  const plan = planDrawing(
    {
      ...(samplerName === undefined ? {} : { sampler: samplerName }),
      ...(steps === undefined ? {} : { steps }),
      ...(guidanceScale === undefined ? {} : { guidanceScale }),
    },
    acceleration,
  );
  const startPlan = planStart(options);
  const { strength, rule } = startPlan ?? { strength: 1, rule: "keep" };
  const request = { config, steps: plan.steps, strength, choices: named?.choices ?? {} };
  const sampler = samplerForStrength(plan.sampler, request, rule);
  const { start, size } = await readStart(model, options, startPlan, options.size);
  const drawing: Drawing = {
    ...plan,
    prompt,
    negativePrompt,
    clipSkip: options.clipSkip,
    modelName,
    vae,
    embeddings: learnedWords.map(({ word }) => word),
    loras: adapters.map(({ adapter, weight }) => ({ name: adapter.name.replace(/\.safetensors$/i, ""), weight })),
    size,
    seed: options.seed ?? randomInt(seeds),
    start,
  };
  const reading = { syntax: options.promptSyntax, clipSkip: options.clipSkip, learnedWords };
  const warnings = [
    ...planWarnings(plan, acceleration, negativePrompt),
    ...adapters.flatMap(adapterWarnings),
    ...promptWarnings(model, prompt, reading),
  ];
  return { drawing, sampler, start, reading, warnings };
}

function checkOut(folder: string): void {
  if (/\.(png|jpe?g|webp)$/i.test(folder)) {
    throw new UsageError(`--out takes a folder, but "${folder}" looks like a file; pictures are named by themselves.`);
  }
}

function adapterWarnings({ adapter }: ChosenAdapter): string[] {
  const { name, matched, unmatched, leftOver } = adapter;
  const total = matched + unmatched.length + leftOver.length;
  const leftOut = (keys: readonly string[], reason: string): string[] =>
    keys.length === 0
      ? []
      : [`${name}: left out, as ${reason}: ${keys.length} of ${total} tensors, e.g. "${keys[0]}".`];
  return [...leftOut(unmatched, "the model lacks their layers"), ...leftOut(leftOver, "they are not of the U-Net")];
}
