import type { SchedulerConfig } from "../../../diffusion/scheduler-config.ts";
import { CheckpointError } from "../../../errors.ts";
import type { JsonObject } from "../../../formats/json.ts";
import type { TensorFile } from "../../../formats/tensor-file.ts";
import { type ClipTextConfig, clipTextConfig } from "../../clip.ts";
import { unetConfig } from "../../unet/config.ts";
import { autoencoderConfig } from "../../vae/config.ts";
import type { ModelPart, ModelParts } from "../diffusers-folder.ts";
import type { FamilyTextEncoder, ModelFamily } from "../families/family.ts";
import { modelFamilies } from "../families/index.ts";
import { detectFamily } from "./detect-family.ts";
import { foreignKind } from "./foreign-files.ts";
import { locateParameters } from "./locate.ts";
import { autoencoderNames, type PartNames, textEncoderNames, unetNames } from "./part-names.ts";
import { type OriginalPrediction, predictionSettings } from "./prediction.ts";
import { readUNetLayout, type Shapes } from "./unet-layout.ts";
import { isUnusedKey } from "./unused-keys.ts";

/** What the keys of the U-Net and of the autoencoder begin with. */
export const unetPrefix = "model.diffusion_model.";
const autoencoderPrefixes: readonly string[] = ["first_stage_model.", "vae."];

/** A model in one file of the original names, as far as the file says. */
export interface OriginalModel extends ModelParts {
  readonly family: ModelFamily;
  /** Keys that the file lacks, by the names of the parts in diffusers; only parts that lack some are there. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
  /** Keys of the file that stand for no parameter of the model. */
  readonly leftOver: readonly string[];
  /** How many tensors hold averaged weights (EMA), or numbers of the training that models compute: they are not needed. */
  readonly unneeded: number;
}

export interface OriginalOptions {
  /** What the U-Net predicts; found out unless told. */
  readonly prediction: OriginalPrediction;
  readonly families: readonly ModelFamily[];
}

export const originalDefaults: OriginalOptions = { prediction: "found", families: modelFamilies };

/** Whether the keys are those of a whole model in the original names. */
export function isOriginalModel(keys: Iterable<string>): boolean {
  for (const key of keys) if (key.startsWith(unetPrefix)) return true;
  return false;
}

/**
 * Reads a Stable Diffusion model in one file, in the names of the first code (LDM, and SGM for SDXL): `.safetensors` or
 * `.ckpt`. The family is found from the shapes of the U-Net; weights are left in the file. Of averaged weights (EMA), which
 * some files have as well, the others are taken.
 * @param file opened, with the names of the model: unwrapped
 * @throws CheckpointError when the family is not known
 */
export async function readOriginalModel(
  file: TensorFile,
  options: Partial<OriginalOptions> = {},
): Promise<OriginalModel> {
  const { prediction, families } = { ...originalDefaults, ...options };
  const place = file.name;
  const shapes = shapesBelow(file, unetPrefix);
  const foreign = foreignKind(file.tensors.keys());
  if (foreign !== undefined) throw new CheckpointError(`${place}: this is ${foreign}, which is not supported.`);
  const layout = readUNetLayout(shapes);
  if (layout === undefined) {
    throw new CheckpointError(
      `${place}: it holds no U-Net of Stable Diffusion in the names of its first code ("${unetPrefix}…"); a model of another kind, or a part of one, cannot be used as a model.`,
    );
  }
  const family = detectFamily(layout, families, place);
  const claimed = new Set<string>();
  const missing = new Map<string, readonly string[]>();
  const part = <C>(name: string, config: C, json: JsonObject, prefix: string, names: PartNames): ModelPart<C> => {
    const found = locateParameters(file, prefix, names);
    for (const key of found.keys) claimed.add(key);
    if (found.missing.length > 0) missing.set(name, found.missing);
    return { config, json, weights: found.weights };
  };
  const unet = unetConfig(family.unet);
  const autoencoder = autoencoderConfig(family.autoencoder);
  const [first, second] = family.textEncoders;
  const textPart = (name: string, encoder: FamilyTextEncoder): ModelPart<ClipTextConfig> => {
    const found = encoder.original.find(({ prefix }) => hasPrefix(file, prefix)) ?? encoder.original[0];
    return part(name, clipTextConfig(encoder.config), encoder.config, found.prefix, textEncoderNames(encoder, found));
  };
  const autoencoderPrefix = autoencoderPrefixes.find((prefix) => hasPrefix(file, prefix)) ?? autoencoderPrefixes[0]!;
  const parts = {
    unet: part("unet", unet, family.unet, unetPrefix, unetNames(unet)),
    autoencoder: {
      kind: "kl" as const,
      ...part("vae", autoencoder, family.autoencoder, autoencoderPrefix, autoencoderNames(autoencoder)),
    },
    textEncoder: textPart("text_encoder", first),
    ...(second === undefined ? {} : { second: { textEncoder: textPart("text_encoder_2", second) } }),
  };
  const rest = [...file.tensors.keys()].filter((key) => !claimed.has(key));
  const leftOver = rest.filter((key) => !isUnusedKey(key, family));
  return {
    name: place.replace(/\.(safetensors|ckpt|pt|pth|bin)$/i, ""),
    pipeline: family.pipeline,
    family,
    ...parts,
    zerosForEmptyPrompt: family.zerosForEmptyPrompt,
    scheduler: await schedulerOf(file, family, prediction),
    missing,
    leftOver,
    unneeded: rest.length - leftOver.length,
  };
}

async function schedulerOf(
  file: TensorFile,
  family: ModelFamily,
  prediction: OriginalPrediction,
): Promise<SchedulerConfig> {
  return { ...family.scheduler, ...(await predictionSettings(file, family, prediction)) };
}

function shapesBelow({ tensors }: TensorFile, prefix: string): Shapes {
  const shapes = new Map<string, readonly number[]>();
  for (const [key, { entry }] of tensors) if (key.startsWith(prefix)) shapes.set(key.slice(prefix.length), entry.shape);
  return shapes;
}

function hasPrefix({ tensors }: TensorFile, prefix: string): boolean {
  for (const key of tensors.keys()) if (key.startsWith(prefix)) return true;
  return false;
}
