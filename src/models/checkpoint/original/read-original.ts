import type { SchedulerConfig } from "../../../diffusion/scheduler-config.ts";
import { CheckpointError } from "../../../errors.ts";
import type { JsonObject } from "../../../formats/json.ts";
import type { TensorFile } from "../../../formats/tensor-file.ts";
import { clipTextConfig } from "../../clip.ts";
import { unetConfig } from "../../unet/config.ts";
import { autoencoderConfig } from "../../vae/config.ts";
import type { ModelPart, ModelParts } from "../diffusers-folder.ts";
import type { FamilyTextEncoder, ModelFamily } from "../families/family.ts";
import { modelFamilies } from "../families/index.ts";
import type { StoredTensor } from "../stored-weights.ts";
import { detectFamily } from "./detect-family.ts";
import { foreignKind } from "./foreign-files.ts";
import { partOf } from "./original-tensor.ts";
import { autoencoderNames, type PartNames, textEncoderNames, unetNames } from "./part-names.ts";
import { type OriginalPrediction, predictionSettings } from "./prediction.ts";
import { guidanceKeys, readUNetLayout, type Shapes } from "./unet-layout.ts";
import { isUnusedKey } from "./unused-keys.ts";

/** What the keys of the U-Net and of the autoencoder begin with. */
export const unetPrefix = "model.diffusion_model.";
const autoencoderPrefixes: readonly string[] = ["first_stage_model.", "vae."];

/** A model in one file of the original names, as far as the file says. */
export interface OriginalModel extends ModelParts {
  readonly family: ModelFamily;
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
  const part = <C>(config: C, json: JsonObject, prefix: string, names: PartNames): ModelPart<C> => ({
    config,
    json,
    weights: locate(file, prefix, names, claimed),
  });
  const unet = unetConfig(family.unet);
  const autoencoder = autoencoderConfig(family.autoencoder);
  const [first, second] = family.textEncoders;
  const textPart = (encoder: FamilyTextEncoder): ModelPart<ReturnType<typeof clipTextConfig>> => {
    const found = encoder.original.find(({ prefix }) => hasPrefix(file, prefix)) ?? encoder.original[0];
    return part(clipTextConfig(encoder.config), encoder.config, found.prefix, textEncoderNames(encoder, found));
  };
  const autoencoderPrefix = autoencoderPrefixes.find((prefix) => hasPrefix(file, prefix)) ?? autoencoderPrefixes[0]!;
  const parts = {
    unet: part(unet, family.unet, unetPrefix, unetNames(unet)),
    autoencoder: {
      kind: "kl" as const,
      ...part(autoencoder, family.autoencoder, autoencoderPrefix, autoencoderNames(autoencoder)),
    },
    textEncoder: textPart(first),
    ...(second === undefined ? {} : { second: { textEncoder: textPart(second) } }),
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

/** The tensors of a part that the file has, by the names that models ask for. */
function locate(
  { tensors: found, name: file }: TensorFile,
  prefix: string,
  { tensors: names }: PartNames,
  claimed: Set<string>,
): ModelPart<unknown>["weights"] {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, original] of names) {
    const key = spellings(original.key).find((spelling) => found.has(prefix + spelling));
    const located = key === undefined ? undefined : found.get(prefix + key);
    if (key === undefined || located === undefined) continue;
    const entry = partOf(located.entry, original);
    if (entry === undefined) {
      throw new CheckpointError(
        `${file}: "${prefix}${key}" has the shape [${located.entry.shape.join(", ")}], which cannot hold ${name}.`,
      );
    }
    claimed.add(prefix + key);
    tensors.set(name, { file: located.source.name, source: located.source, entry });
  }
  return { files: [...new Set(Array.from(tensors.values(), (stored) => stored.file))].sort(), tensors };
}

/** How a key may be spelled: some converters gave layers other names. */
function spellings(key: string): readonly string[] {
  if (guidanceKeys.includes(key)) return guidanceKeys;
  // Newer releases of transformers dropped a prefix of text encoders, which some files lack as well.
  return key.startsWith("text_model.") ? [key, key.slice("text_model.".length)] : [key];
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
