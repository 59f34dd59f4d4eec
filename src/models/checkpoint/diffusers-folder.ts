import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { CheckpointError } from "../../errors.ts";
import { field, type JsonObject, type JsonValue, kindOf, parseJsonObject } from "../../formats/json.ts";
import { type ClipTextConfig, clipTextConfig } from "../clip.ts";
import { type ClipTokenizer, loadClipTokenizer } from "../tokenizer/clip-tokenizer.ts";
import type { TokenizerFiles } from "../tokenizer/tokenizer-files.ts";
import { type UNetConfig, unetConfig } from "../unet/config.ts";
import { type TinyAutoencoderConfig, tinyAutoencoderConfig } from "../vae/autoencoder-tiny.ts";
import { type AutoencoderConfig, autoencoderConfig } from "../vae/config.ts";
import type { FolderReader } from "./folder-reader.ts";
import type { PartKind } from "./names.ts";
import { parseSchedulerJson } from "./scheduler-json.ts";
import { readStoredWeights, type StoredWeights } from "./stored-weights.ts";
import { splitTokenizerJson } from "./tokenizer-json.ts";

/** One network of a model: what it is and where its weights lie. */
export interface ModelPart<C> {
  readonly config: C;
  /** The configuration as its file has it, for writing it again. */
  readonly json: JsonObject;
  readonly weights: StoredWeights;
}

/** Either autoencoder of Stable Diffusion. */
export type AutoencoderPart =
  | (ModelPart<AutoencoderConfig> & { readonly kind: "kl" })
  | (ModelPart<TinyAutoencoderConfig> & { readonly kind: "tiny" });

/** The networks of a Stable Diffusion model: configurations read, weights located. */
export interface ModelParts {
  /** What errors call it. */
  readonly name: string;
  /** Class of the pipeline in diffusers, e.g. `StableDiffusionPipeline`. */
  readonly pipeline: string;
  readonly unet: ModelPart<UNetConfig>;
  readonly autoencoder: AutoencoderPart;
  readonly textEncoder: ModelPart<ClipTextConfig>;
  /** The second text encoder of SDXL. */
  readonly second?: { readonly textEncoder: ModelPart<ClipTextConfig> };
  /** Whether an empty negative prompt is all zeros: diffusers' `force_zeros_for_empty_prompt`. */
  readonly zerosForEmptyPrompt: boolean;
  readonly scheduler: SchedulerConfig;
}

/** A text encoder's tokenizer, and the files that it was read from. */
export interface TokenizerPart {
  readonly tokenizer: ClipTokenizer;
  readonly tokenizerFiles: TokenizerFiles;
}

/** A whole Stable Diffusion model as diffusers divides it, tokenizers and all. */
export interface DiffusersModel extends ModelParts, TokenizerPart {
  readonly second?: TokenizerPart & { readonly textEncoder: ModelPart<ClipTextConfig> };
}

const schedulerPath = "scheduler/scheduler_config.json";

/** Pipelines whose parts are one U-Net, one autoencoder and one CLIP text encoder. */
const pipelines: readonly string[] = [
  "StableDiffusionPipeline",
  "StableDiffusionImg2ImgPipeline",
  "StableDiffusionInpaintPipeline",
  "StableDiffusionControlNetPipeline",
  "LatentConsistencyModelPipeline",
  "LatentConsistencyModelImg2ImgPipeline",
];

/** Pipelines with a second text encoder. */
const largePipelines: readonly string[] = [
  "StableDiffusionXLPipeline",
  "StableDiffusionXLImg2ImgPipeline",
  "StableDiffusionXLInpaintPipeline",
  "StableDiffusionXLControlNetPipeline",
];

/**
 * Reads a model in diffusers' folder layout: `model_index.json` and the folders `unet`, `vae`, `text_encoder`, `tokenizer`
 * and `scheduler`; of SDXL also `text_encoder_2` and `tokenizer_2`. Of the weights only the headers are read.
 * @throws CheckpointError naming the file, when a part is missing or of an unknown kind; FormatError when one is damaged
 */
export async function readDiffusersModel(folder: FolderReader): Promise<DiffusersModel> {
  const index = await readJson(folder, "model_index.json");
  const pipeline = className(index, `${folder.name}/model_index.json`);
  const large = largePipelines.includes(pipeline);
  if (!large && !pipelines.includes(pipeline)) {
    throw new CheckpointError(
      `${folder.name}/model_index.json: the pipeline "${pipeline}" is not understood; one of ${[...pipelines, ...largePipelines].join(", ")} was expected.`,
    );
  }
  if (large && field(index, "text_encoder") !== undefined && isAbsent(field(index, "text_encoder"))) {
    throw new CheckpointError(
      `${folder.name}: it has no first text encoder, so it is the refiner of Stable Diffusion XL, which is not supported.`,
    );
  }
  return {
    name: folder.name,
    pipeline,
    ...(await readTokenizer(folder, "tokenizer")),
    unet: await readUNet(folder),
    autoencoder: await readAutoencoder(folder),
    textEncoder: await readTextEncoder(folder, "text_encoder"),
    ...(large
      ? {
          second: {
            ...(await readTokenizer(folder, "tokenizer_2")),
            textEncoder: await readTextEncoder(folder, "text_encoder_2"),
          },
        }
      : {}),
    zerosForEmptyPrompt: field(index, "force_zeros_for_empty_prompt") === true,
    scheduler: parseSchedulerJson(await requireText(folder, schedulerPath), `${folder.name}/${schedulerPath}`),
  };
}

/** Whether `model_index.json` says that a part is not there: `[null, null]`. */
function isAbsent(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.every((one) => one === null);
}

/** Reads `unet`, or another folder that holds a U-Net. @throws CheckpointError when it is another network */
export async function readUNet(folder: FolderReader, part = "unet"): Promise<ModelPart<UNetConfig>> {
  return readPart(folder, part, "unet", unetConfig, ["UNet2DConditionModel"]);
}

/** Reads `text_encoder`, or another folder that holds one. @throws CheckpointError when it is another network */
export async function readTextEncoder(folder: FolderReader, part: string): Promise<ModelPart<ClipTextConfig>> {
  return readPart(folder, part, "text-encoder", clipTextConfig, []);
}

/**
 * Reads `vae`, or another folder that holds an autoencoder.
 * @throws CheckpointError when it is neither AutoencoderKL nor AutoencoderTiny
 */
export async function readAutoencoder(folder: FolderReader, part = "vae"): Promise<AutoencoderPart> {
  const json = await readJson(folder, `${part}/config.json`);
  const tiny = className(json, `${folder.name}/${part}/config.json`) === "AutoencoderTiny";
  return tiny
    ? { kind: "tiny", ...(await readPart(folder, part, "autoencoder", tinyAutoencoderConfig, ["AutoencoderTiny"])) }
    : { kind: "kl", ...(await readPart(folder, part, "autoencoder", autoencoderConfig, ["AutoencoderKL"])) };
}

async function readPart<C>(
  folder: FolderReader,
  part: string,
  kind: PartKind,
  parse: (json: unknown) => C,
  classes: readonly string[],
): Promise<ModelPart<C>> {
  const path = `${part}/config.json`;
  const json = await readJson(folder, path);
  if (classes.length > 0) {
    const name = className(json, `${folder.name}/${path}`);
    if (!classes.includes(name)) {
      throw new CheckpointError(
        `${folder.name}/${path}: the class "${name}" is not understood; ${classes.join(" or ")} was expected.`,
      );
    }
  }
  return { config: parse(json), json, weights: await readStoredWeights(folder, part, kind) };
}

/**
 * Reads the tokenizer of a folder, e.g. `tokenizer`.
 * @throws CheckpointError when its files are missing, FormatError when one is damaged
 */
export async function readTokenizer(folder: FolderReader, part: string): Promise<TokenizerPart> {
  const optional = async (name: string): Promise<string | undefined> =>
    (await folder.exists(`${part}/${name}`)) ? folder.readText(`${part}/${name}`) : undefined;
  const whole = await optional("tokenizer.json");
  const vocabulary = await optional("vocab.json");
  // Where both forms are there, the older one decides: it is what the tokenizers of all releases read.
  const words =
    vocabulary === undefined && whole !== undefined
      ? splitTokenizerJson(whole)
      : {
          "vocab.json": vocabulary ?? (await requireText(folder, `${part}/vocab.json`)),
          "merges.txt": await requireText(folder, `${part}/merges.txt`),
        };
  const tokenizerFiles: TokenizerFiles = {
    ...words,
    "special_tokens_map.json": await optional("special_tokens_map.json"),
    "tokenizer_config.json": await optional("tokenizer_config.json"),
  };
  return { tokenizer: loadClipTokenizer(tokenizerFiles), tokenizerFiles };
}

async function requireText(folder: FolderReader, path: string): Promise<string> {
  if (await folder.exists(path)) return folder.readText(path);
  throw new CheckpointError(`${folder.name}: ${path} is missing; a model folder of diffusers was expected.`);
}

async function readJson(folder: FolderReader, path: string): Promise<JsonObject> {
  return parseJsonObject(await requireText(folder, path), `${folder.name}/${path}`);
}

function className(json: JsonObject, place: string): string {
  const value = field(json, "_class_name");
  if (typeof value === "string") return value;
  throw new CheckpointError(`${place}: "_class_name" must be a text, but it is ${kindOf(value)}.`);
}
