import type { PredictionType } from "../../diffusion/prediction.ts";
import type { NoiseSchedule } from "../../diffusion/schedule.ts";
import {
  type BetaDefaults,
  predictionFromConfig,
  type SchedulerConfig,
  scheduleFromConfig,
} from "../../diffusion/scheduler-config.ts";
import { UsageError } from "../../errors.ts";
import { pixelsPerLatent } from "../../generate/size.ts";
import {
  type AutoencoderPart,
  type ModelPart,
  readAutoencoder,
  readDiffusersModel,
} from "../../models/checkpoint/diffusers-folder.ts";
import { loadWeights } from "../../models/checkpoint/parameters.ts";
import { openModelFolder } from "../model-folder.ts";
import { autoencoderNetwork, type MemoryAutoencoder, type MemoryModel, type MemoryPart } from "./memory-model.ts";
import { hashTensors, hashTexts } from "./sources.ts";

/** Stable Diffusion's noise levels, for configurations that name none. */
const stableDiffusionBetas: BetaDefaults = { schedule: "scaled_linear", start: 0.00085, end: 0.012 };

/** The noise levels of a scheduler's configuration, and what the network predicts at them. */
export function noiseOf(scheduler: SchedulerConfig): {
  readonly schedule: NoiseSchedule;
  readonly prediction: PredictionType;
} {
  return {
    schedule: scheduleFromConfig(scheduler, stableDiffusionBetas),
    prediction: predictionFromConfig(scheduler),
  };
}

/** A model that training builds on, and a hash of all of it. */
export interface OpenedBase {
  readonly model: MemoryModel;
  readonly hash: string;
}

/**
 * Reads a whole model into memory.
 * @throws UsageError when there is no such folder; CheckpointError when it is no model
 */
export async function openBase(path: string): Promise<OpenedBase> {
  await using folder = await openModelFolder(path);
  const files = await readDiffusersModel(folder);
  const { name, tokenizer, tokenizerFiles, scheduler } = files;
  const unet = await inMemory(files.unet);
  const textEncoder = await inMemory(files.textEncoder);
  const autoencoder = await autoencoderInMemory(files.autoencoder);
  const hash = hashTexts([
    hashTensors(unet.tensors),
    hashTensors(textEncoder.tensors),
    hashAutoencoder(autoencoder),
    JSON.stringify([unet.json, textEncoder.json, scheduler, tokenizerFiles]),
  ]);
  return { model: { name, unet, textEncoder, autoencoder, tokenizer, tokenizerFiles, scheduler }, hash };
}

/**
 * Reads an autoencoder into memory: of a model's folder, of a folder with `vae`, or of that folder itself.
 * @throws UsageError when there is no such folder; CheckpointError when it holds no autoencoder
 */
export async function openAutoencoder(path: string): Promise<MemoryAutoencoder> {
  await using folder = await openModelFolder(path);
  const alone = !(await folder.exists("vae/config.json")) && (await folder.exists("config.json"));
  return await autoencoderInMemory(await readAutoencoder(folder, alone ? "." : "vae"));
}

/** SHA-256 of an autoencoder's configuration and weights. */
export function hashAutoencoder({ json, tensors }: MemoryAutoencoder): string {
  return hashTexts([JSON.stringify(json), hashTensors(tensors)]);
}

/**
 * Height and width of the latents of square pictures.
 * @param levels of the U-Net, each of which but the last halves the latents
 * @throws UsageError naming a size that does
 */
export function latentSide(size: number, autoencoder: MemoryAutoencoder, levels: number): number {
  const pixels = pixelsPerLatent({ autoencoder: autoencoderNetwork(autoencoder) });
  const step = pixels * 2 ** (levels - 1);
  if (size % step === 0) return size / pixels;
  throw new UsageError(
    `"size" must be a multiple of ${step} for this autoencoder and U-Net, but it is ${size}; try ${Math.max(step, Math.round(size / step) * step)}`,
  );
}

async function inMemory<C>({ config, json, weights }: ModelPart<C>): Promise<MemoryPart<C>> {
  return { config, json, tensors: await loadWeights(weights) };
}

async function autoencoderInMemory(part: AutoencoderPart): Promise<MemoryAutoencoder> {
  return part.kind === "kl" ? { kind: "kl", ...(await inMemory(part)) } : { kind: "tiny", ...(await inMemory(part)) };
}
