import { UsageError } from "../errors.ts";
import { encodePrompt } from "../generate/conditioning.ts";
import { createNetworks } from "../generate/networks.ts";
import { restartForModel } from "../node/allocator.ts";
import { accelerationOf, chooseLoras, loraHashes } from "../node/draw/choose-loras.ts";
import { drawEvents } from "../node/draw/draw-events.ts";
import { type DrawingWishes, prepareDrawing } from "../node/draw/prepare-drawing.ts";
import { readEmbeddings } from "../node/embedding-files.ts";
import { resolveAutoencoder, resolveFiles, resolveModel } from "../node/hub/models.ts";
import { loraSwap } from "../node/lora-swap.ts";
import { adaptedModel, openModel, readLoras } from "../node/open-model.ts";
import { makePictureFolder } from "../node/picture-files.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Device } from "../runtime/runtime.ts";
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
  readonly loraDir?: readonly string[];
  /** A picture whose settings these are (`restoredOptions`), the hashes of its LoRAs and its model. */
  readonly like?: string;
  readonly loraHashes?: ReadonlyMap<string, string>;
  readonly likeModel?: string | undefined;
  readonly embedding?: readonly string[];
  readonly lcm?: boolean;
  readonly count: number;
  readonly batch: number;
  readonly device: Device;
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
  const embedding = await resolveFiles(options.embedding, fetching);
  const { vae, previewVae } = options;
  const autoencoders = {
    ...(vae === undefined ? {} : { vae: await resolveAutoencoder(vae, fetching) }),
    ...(previewVae === undefined ? {} : { previewVae: await resolveAutoencoder(previewVae, fetching) }),
  };
  const opened = await openModel(path, openingOptions(options, context.env));
  const runtime = onnxRuntime({ device: options.device });
  try {
    const { sampler: named, negative: negativePrompt = "", ...wishes } = options;
    const sampling = named === undefined ? {} : { sampler: named.name };
    const texts = { prompt, negativePrompt };
    const chosen = await chooseLoras({ path, files: opened.files }, texts, { ...wishes, ...sampling }, fetching);
    const adapters = await readLoras(
      opened.files,
      chosen.loras.map(({ choice }) => choice),
    );
    await using others = await openAutoencoders(await adaptedModel(opened, adapters), { ...options, ...autoencoders });
    const { model } = others;
    const learnedWords = await readEmbeddings(embedding, model);
    const made = {
      ...others,
      modelName: name,
      learnedWords,
      adapters,
      acceleration: accelerationOf(opened.files, chosen),
      accelerator: chosen.accelerator,
      picturedLoras: { taggedPrompt: chosen.taggedPrompt, hashes: await loraHashes(chosen) },
    };
    const told = { ...options, negative: chosen.negativePrompt };
    const prepared = await prepareDrawing(opened.files.scheduler, made, chosen.prompt, told);
    const { drawing, sampler, start, reading, warnings, notes } = prepared;
    const autoencoder = autoencoderOptions(model, options, (sentence) => report.warn(sentence));
    await makePictureFolder(options.out);
    const report = new DrawingReport(drawing, sampler, options, context);
    for (const warning of [...likeWarnings(options, name), ...chosen.warnings, ...warnings]) report.warn(warning);
    for (const note of notes) report.note(note);
    const networks = createNetworks(runtime, model, autoencoder);
    const conditioning = await encodePrompt(networks, model, { ...drawing, reading }, context.signal);
    const { size, seed } = drawing;
    const preview = report.showsSteps ? { preview: previewOf(runtime, others, networks) } : {};
    const beforeStep = loraSwap(opened, networks, adapters).beforeStep(sampler.timesteps.length);
    const request = {
      conditioning,
      sampler,
      size,
      seed,
      count: options.count,
      batch: options.batch,
      ...preview,
      ...(beforeStep === undefined ? {} : { beforeStep }),
    };
    await report.follow(drawEvents(networks, model, request, start, context.signal));
    report.finish((performance.now() - begin) / 1000);
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}

function likeWarnings({ likeModel }: GenerateOptions, model: string): string[] {
  if (likeModel === undefined || likeModel === model) return [];
  return [`the picture was drawn with the model ${likeModel}, but this one is ${model}; give another with --model.`];
}

function checkOut(folder: string): void {
  if (/\.(png|jpe?g|webp)$/i.test(folder)) {
    throw new UsageError(`--out takes a folder, but "${folder}" looks like a file; pictures are named by themselves.`);
  }
}
