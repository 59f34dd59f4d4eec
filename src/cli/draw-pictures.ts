import { randomInt } from "node:crypto";
import { basename, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { encodePrompt, type PromptReading } from "../generate/conditioning.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { planDrawing, planWarnings } from "../generate/plan.ts";
import type { PromptSyntax } from "../generate/prompt/syntax.ts";
import { latentSize, naturalSize, type Size } from "../generate/size.ts";
import { textToImage } from "../generate/text-to-image.ts";
import { adaptedModel, type ChosenAdapter, type OpenedModel, openModel, readLoras } from "../node/open-model.ts";
import { makePictureFolder } from "../node/picture-files.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { createSampler, type SamplerName } from "../samplers/registry.ts";
import type { Sampler } from "../samplers/sampler.ts";
import { accelerationOf, chooseLoras } from "./choose-loras.ts";
import type { CliContext } from "./command.ts";
import { DrawingReport } from "./drawing-report.ts";
import type { Drawing } from "./picture-settings.ts";
import { promptWarnings } from "./prompt-warnings.ts";

/** What `fourstep generate` was told. */
export interface GenerateOptions {
  readonly model?: string;
  readonly lora?: readonly string[];
  readonly lcm?: boolean;
  readonly sampler?: SamplerName;
  readonly steps?: number;
  readonly guidance?: number;
  readonly negative?: string;
  readonly promptSyntax: PromptSyntax;
  readonly clipSkip: number;
  readonly seed?: number;
  readonly size?: Size;
  readonly count: number;
  readonly out: string;
  readonly json?: boolean;
  readonly preview: boolean;
}

/** Seeds that are drawn when none is given: as many as torch's generator for the CPU tells apart. */
const seeds = 2 ** 32;

/** A drawing with what carries it out. */
interface Prepared {
  readonly drawing: Drawing;
  readonly model: Model;
  readonly sampler: Sampler;
  readonly reading: PromptReading;
  readonly warnings: readonly string[];
}

/**
 * Draws pictures, writes them, and says what was done.
 * @throws FourstepError when something that was given cannot be used, DOMException `AbortError` when the user stops it
 */
export async function drawPictures(prompt: string, options: GenerateOptions, context: CliContext): Promise<void> {
  const begin = performance.now();
  const path = options.model ?? shippedModelFolder();
  checkOut(options.out);
  const opened = await openModel(path);
  const runtime = onnxRuntime();
  try {
    const { drawing, model, sampler, reading, warnings } = await prepare(path, opened, prompt, options);
    await makePictureFolder(options.out);
    const report = new DrawingReport(drawing, options, context);
    for (const warning of warnings) report.warn(warning);
    const networks = createNetworks(runtime, model);
    const conditioning = await encodePrompt(networks, model, { ...drawing, reading }, context.signal);
    const request = { conditioning, sampler, size: drawing.size, seed: drawing.seed, count: options.count };
    await report.follow(textToImage(networks, model, request, context.signal));
    report.finish((performance.now() - begin) / 1000);
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}

/** Makes all choices, and finds what is wrong with them before anything is compiled. */
async function prepare(path: string, opened: OpenedModel, prompt: string, options: GenerateOptions): Promise<Prepared> {
  const { files } = opened;
  const choices = chooseLoras(path, options);
  const acceleration = accelerationOf(files, choices);
  const { sampler: samplerName, steps, guidance: guidanceScale, negative: negativePrompt = "" } = options;
  const plan = planDrawing(
    {
      ...(samplerName === undefined ? {} : { sampler: samplerName }),
      ...(steps === undefined ? {} : { steps }),
      ...(guidanceScale === undefined ? {} : { guidanceScale }),
    },
    acceleration,
  );
  const sampler = createSampler(plan.sampler, { config: files.scheduler, steps: plan.steps, strength: 1 });
  const adapters = await readLoras(files, choices);
  const model = await adaptedModel(opened, adapters);
  const size = options.size ?? naturalSize(model);
  latentSize(model, size);
  const drawing: Drawing = {
    ...plan,
    prompt,
    negativePrompt,
    clipSkip: options.clipSkip,
    modelName: basename(resolve(path)),
    loras: adapters.map(({ adapter, weight }) => ({ name: adapter.name.replace(/\.safetensors$/i, ""), weight })),
    size,
    seed: options.seed ?? randomInt(seeds),
  };
  const reading = { syntax: options.promptSyntax, clipSkip: options.clipSkip, learnedWords: [] };
  const warnings = [
    ...planWarnings(plan, acceleration, negativePrompt),
    ...adapters.flatMap(adapterWarnings),
    ...promptWarnings(model, prompt, reading),
  ];
  return { drawing, model, sampler, reading, warnings };
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
