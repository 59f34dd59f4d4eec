import { UsageError } from "../errors.ts";
import { type AcceleratingLora, accelerationOfModel, accelerationOfNames } from "../generate/acceleration.ts";
import { adapterWarnings, type LoraChoice, withLoraWords } from "../generate/chosen-loras.ts";
import { encodePrompt } from "../generate/conditioning.ts";
import { imageToImage } from "../generate/image-to-image.ts";
import { adapterSwap } from "../generate/lora-swap.ts";
import { modelFromFolder } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { pictureSettings } from "../generate/picture-settings.ts";
import { type Pixels, toPixels } from "../generate/pixels.ts";
import { planWarnings } from "../generate/plan.ts";
import { planSampling } from "../generate/plan-sampling.ts";
import { latentColours, linearPreview, type Preview } from "../generate/preview.ts";
import { parseLoraStrength } from "../generate/prompt/lora-strength.ts";
import { parseLoraTags, writeLoraTag } from "../generate/prompt/lora-tags.ts";
import { promptWarnings } from "../generate/prompt/prompt-warnings.ts";
import { naturalSize, type Size, sizeForPicture } from "../generate/size.ts";
import { textToImage } from "../generate/text-to-image.ts";
import { samplerNamed } from "../samplers/names.ts";
import { type WebRuntimeOptions, webRuntime } from "./device.ts";
import type { FetchOptions } from "./fetch-folder.ts";
import { fetchLora, openModel } from "./open-model.ts";
import { startPicture } from "./start-picture.ts";

/** What is to be drawn: one picture. What is left out suits the model. */
export interface WebDrawing {
  /** May ask for LoRAs, as `<lora:name:0.8>`. */
  readonly prompt: string;
  readonly negative?: string;
  /** LoRAs of the model's folder, by name; 1 is as they were trained. */
  readonly loras?: readonly { readonly name: string; readonly weight: number }[];
  /** False leaves the model's own LCM-LoRA out, unless `loras` names it. */
  readonly lcm?: boolean;
  readonly sampler?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed?: number;
  readonly size?: Size;
  /** A picture to begin with, of any size. */
  readonly picture?: Pixels;
  /** How much of it is drawn anew, in (0, 1]; 0.6 unless told. */
  readonly strength?: number;
  /** Whether steps come with the picture so far. */
  readonly previews?: boolean;
}

/** What is told while a picture is drawn. */
export type WebDrawingEvent =
  | { readonly kind: "step"; readonly step: number; readonly steps: number; readonly preview?: Pixels }
  | {
      readonly kind: "picture";
      readonly pixels: Pixels;
      /** What it was decoded from, `[1, channels, h, w]`, row by row. */
      readonly latents: Float32Array;
      readonly seed: number;
      /** What image programs keep in a file under `parameters`. */
      readonly settings: string;
      /** What it took from the request on, compiling included. */
      readonly seconds: number;
    }
  | { readonly kind: "warnings"; readonly warnings: readonly string[] };

/** A model in a browser, ready to draw. */
export interface Studio {
  readonly info: StudioInfo;
  /**
   * Draws one picture and tells of it.
   * @throws FourstepError when it cannot be drawn
   * @throws DOMException `AbortError` between two network calls, once the signal is aborted
   */
  draw(drawing: WebDrawing, signal?: AbortSignal): AsyncIterable<WebDrawingEvent>;
  /** Frees the networks. */
  close(): Promise<void>;
}

export interface StudioInfo {
  /** The model's name. */
  readonly model: string;
  readonly device: "webgpu" | "cpu";
  readonly threads: number;
  /** What the networks are computed in. */
  readonly precision: "float32" | "float16";
  readonly notes: readonly string[];
}

export interface StudioOptions extends WebRuntimeOptions, FetchOptions {
  /** Whether WebGPU computes in float16; where the graphics processor does, unless told. */
  readonly half?: boolean;
  /** The version that pictures name. */
  readonly version?: string;
}

const lcmLora = "lcm-lora";
const usualStrength = 0.6;
/** Seeds that are drawn when none is given. */
const seeds = 2 ** 32;

/**
 * Fetches a model and makes it ready to draw in this thread, which then is busy: pages open it in a worker (`remoteStudio`).
 * @param url of the model's folder; LoRAs are in its folder `lora`, among them `lcm-lora`, which is used unless told
 * @throws UsageError, CheckpointError or FormatError when there is no whole model
 */
export async function openStudio(url: URL | string, options: StudioOptions = {}): Promise<Studio> {
  const { version = "for browsers" } = options;
  const [{ runtime, device, threads, half, notes }, opened] = await Promise.all([
    webRuntime(options),
    openModel(url, options),
  ]);
  const precision = device === "webgpu" && (options.half ?? half) ? "float16" : "float32";
  const { files, place, folder } = opened;
  const model = await modelFromFolder(files, place);
  const told: string[] = [];
  const networks = createNetworks(runtime, model, {
    precision,
    unetPrecision: precision,
    onFallback: (sentence) => told.push(sentence),
  });
  const read = (name: string) => fetchLora(folder, loraPath(name), files);
  const swap = adapterSwap({ files, place }, networks, read);
  let inUse = "[]";
  const use = async (choices: readonly LoraChoice[]): Promise<void> => {
    const key = JSON.stringify(choices);
    // Weights that change with the steps are functions, which no key tells apart.
    if (key === inUse && choices.every(({ steps }) => steps === undefined)) return;
    inUse = "";
    for (const { path } of choices) {
      if (!(await folder.exists(loraPath(path)))) throw new UsageError(`There is no LoRA "${path}" of ${model.name}.`);
    }
    await swap.use(choices);
    inUse = key;
  };
  const colours = latentColours(model.autoencoder);
  const preview: Preview =
    colours !== undefined
      ? linearPreview(colours)
      : async (latents, signal) => {
          const picture = await networks.decode(latents, signal);
          return { ...picture, shape: picture.shape.slice(1) };
        };

  return {
    info: { model: model.name, device, threads, precision, notes },
    async *draw(drawing, signal) {
      const begin = performance.now();
      const chosen = chooseWebLoras(drawing, await folder.exists(loraPath(lcmLora)));
      await use(chosen.loras);
      const acceleration = accelerationOfModel(files, chosen.accelerator);
      const { steps, guidance, picture, negative: negativePrompt = "", strength = usualStrength } = drawing;
      const start = picture === undefined ? undefined : ({ strength, rule: "keep" } as const);
      const { plan, choices, sampler } = planSampling(
        files.scheduler,
        acceleration,
        {
          ...namedSampler(drawing.sampler),
          ...(steps === undefined ? {} : { steps }),
          ...(guidance === undefined ? {} : { guidance }),
        },
        start,
      );
      const size = drawing.size ?? (picture === undefined ? naturalSize(model) : sizeForPicture(model, picture));
      const learnedWords = withLoraWords([], swap.adapters, model);
      const reading = { syntax: "a1111", clipSkip: 1, learnedWords } as const;
      const { prompt } = chosen;
      const warnings = [
        ...chosen.warnings,
        ...planWarnings(plan, acceleration, negativePrompt),
        ...swap.adapters.flatMap(adapterWarnings),
        ...promptWarnings(model, prompt, reading),
      ];
      if (warnings.length > 0) yield { kind: "warnings", warnings };
      const conditioning = await encodePrompt(networks, model, { ...plan, prompt, negativePrompt, reading }, signal);
      const seed = drawing.seed ?? Math.floor(Math.random() * seeds);
      const beforeStep = swap.beforeStep(sampler.timesteps.length);
      const request = {
        conditioning,
        sampler,
        seed,
        count: 1,
        ...(drawing.previews === true ? { preview } : {}),
        ...(beforeStep === undefined ? {} : { beforeStep }),
      };
      const settings = pictureSettings(
        {
          ...plan,
          prompt,
          negativePrompt,
          clipSkip: 1,
          modelName: model.name,
          embeddings: [],
          choices,
          picturedLoras: { taggedPrompt: chosen.taggedPrompt, hashes: new Map() },
          size,
          vae: undefined,
          start: start && { ...start, repaint: undefined },
        },
        seed,
        version,
      );
      const events =
        picture === undefined
          ? textToImage(networks, model, { ...request, size }, signal)
          : imageToImage(networks, model, { ...request, picture: startPicture(picture, size) }, signal);
      for await (const event of events) {
        // Between two network calls, so that the thread hears of what was cancelled.
        await new Promise((resolve) => setTimeout(resolve));
        signal?.throwIfAborted();
        if (event.kind === "step") {
          const shown = event.preview === undefined ? {} : { preview: toPixels(event.preview) };
          yield { kind: "step", step: event.index + 1, steps: sampler.timesteps.length, ...shown };
        } else {
          const seconds = (performance.now() - begin) / 1000;
          const { pixels, latents } = event;
          yield { kind: "picture", pixels: toPixels(pixels), latents: latents.data, seed, settings, seconds };
        }
      }
      if (told.length > 0) yield { kind: "warnings", warnings: told.splice(0) };
    },
    close: () => networks.dispose(),
  };
}

const loraPath = (name: string): string => `lora/${encodeURIComponent(name)}.safetensors`;

function namedSampler(name: string | undefined): { readonly sampler?: NonNullable<ReturnType<typeof samplerNamed>> } {
  if (name === undefined) return {};
  const sampler = samplerNamed(name);
  if (sampler === undefined) throw new UsageError(`There is no sampler "${name}".`);
  return { sampler };
}

/** The LoRAs of a drawing by their names, and the prompt without its tags. */
interface WebLoras {
  readonly prompt: string;
  readonly taggedPrompt: string;
  readonly loras: readonly LoraChoice[];
  readonly accelerator: AcceleratingLora | undefined;
  readonly warnings: readonly string[];
}

/** The model's own LCM-LoRA first, unless it is not wanted or another accelerates; then those given, then the prompt's. */
function chooseWebLoras({ prompt, loras = [], lcm, sampler }: WebDrawing, hasLcm: boolean): WebLoras {
  const { text, loras: tags, others } = parseLoraTags(prompt);
  const asked = tags.map(({ name, items, written }) => ({ path: name, ...parseLoraStrength(items, written) }));
  const given: LoraChoice[] = [
    ...loras.map(({ name, weight }) => ({ path: name, weight })),
    ...asked.map(({ path, strength }) => ({ path, ...strength })),
  ];
  const accelerating = (name: string): AcceleratingLora | undefined => accelerationOfNames([name]);
  const first = given.find(({ path, weight }) => weight !== 0 && accelerating(path) !== undefined);
  const wanted = lcm ?? (sampler === undefined || samplerNamed(sampler)?.name === "lcm");
  const own = wanted && hasLcm && !given.some(({ path }) => accelerating(path) !== undefined);
  const added: readonly LoraChoice[] = own ? [{ path: lcmLora, weight: 1 }, ...given] : given;
  const untagged = added.filter(({ path }) => !asked.some((one) => one.path === path));
  return {
    prompt: text,
    taggedPrompt: [prompt, ...untagged.map(({ path, weight }) => writeLoraTag(path, String(weight)))].join(" ").trim(),
    loras: added,
    accelerator: own ? "lcm-lora" : first && accelerating(first.path),
    warnings: [
      ...others.map((tag) => `${tag} asks for a network of a kind that is not known; it is left out.`),
      ...asked.flatMap(({ path, ignored }) => ignored.map((item) => `${path}: "${item}" has no effect here.`)),
    ],
  };
}
