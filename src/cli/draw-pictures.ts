import { UsageError } from "../errors.ts";
import { encodePrompt } from "../generate/conditioning.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import type { Acceleration } from "../generate/plan.ts";
import { restartForModel } from "../node/allocator.ts";
import { accelerationOf, chooseLoras } from "../node/draw/choose-loras.ts";
import { drawEvents } from "../node/draw/draw-events.ts";
import { type DrawingWishes, prepareDrawing } from "../node/draw/prepare-drawing.ts";
import { readEmbeddings } from "../node/embedding-files.ts";
import { resolveFiles, resolveModel } from "../node/hub/models.ts";
import { adaptedModel, type ChosenAdapter, type OpenedModel, openModel, readLoras } from "../node/open-model.ts";
import { makePictureFolder } from "../node/picture-files.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { type AutoencoderWishes, autoencoderOptions, openAutoencoders, previewOf } from "./autoencoder-wishes.ts";
import type { CliContext } from "./command.ts";
import { DrawingReport } from "./drawing-report.ts";
import { fetchOptions } from "./fetching.ts";
import { openingOptions, type SingleFileWishes } from "./single-file-wishes.ts";

/** What `fourstep generate` was told. */
export interface GenerateOptions extends DrawingWishes, AutoencoderWishes, SingleFileWishes {
  readonly model?: string;
  readonly variant?: string;
  readonly lora?: readonly string[];
  readonly embedding?: readonly string[];
  readonly lcm?: boolean;
  readonly count: number;
  readonly batch: number;
  readonly out: string;
  readonly json?: boolean;
  readonly preview: boolean;
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
    const prepared = await prepareDrawing(opened.files.scheduler, made, prompt, options);
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

function checkOut(folder: string): void {
  if (/\.(png|jpe?g|webp)$/i.test(folder)) {
    throw new UsageError(`--out takes a folder, but "${folder}" looks like a file; pictures are named by themselves.`);
  }
}
