import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { CheckpointError } from "../../errors.ts";
import { field, type JsonObject, kindOf, parseJsonObject } from "../../formats/json.ts";
import { type ClipTextConfig, clipTextConfig } from "../clip.ts";
import { type ClipTokenizer, loadClipTokenizer } from "../tokenizer/clip-tokenizer.ts";
import type { TokenizerFiles } from "../tokenizer/tokenizer-files.ts";
import { type UNetConfig, unetConfig } from "../unet/config.ts";
import { type TinyAutoencoderConfig, tinyAutoencoderConfig } from "../vae/autoencoder-tiny.ts";
import { type AutoencoderConfig, autoencoderConfig } from "../vae/config.ts";
import type { FolderReader } from "./folder-reader.ts";
import type { PartKind } from "./names.ts";
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

/** A Stable Diffusion model in diffusers' folder layout: configurations read, weights located. */
export interface DiffusersModel {
  /** What errors call it. */
  readonly name: string;
  /** Class of the pipeline that wrote it, e.g. `StableDiffusionPipeline`. */
  readonly pipeline: string;
  readonly unet: ModelPart<UNetConfig>;
  readonly autoencoder: AutoencoderPart;
  readonly textEncoder: ModelPart<ClipTextConfig>;
  readonly tokenizer: ClipTokenizer;
  readonly tokenizerFiles: TokenizerFiles;
  readonly scheduler: SchedulerConfig;
}

/** Pipelines whose parts are one U-Net, one autoencoder and one CLIP text encoder. */
const pipelines: readonly string[] = [
  "StableDiffusionPipeline",
  "StableDiffusionImg2ImgPipeline",
  "StableDiffusionInpaintPipeline",
  "StableDiffusionControlNetPipeline",
  "LatentConsistencyModelPipeline",
  "LatentConsistencyModelImg2ImgPipeline",
];

/**
 * Reads a model in diffusers' folder layout: `model_index.json` and the folders `unet`, `vae`, `text_encoder`, `tokenizer`
 * and `scheduler`. Of the weights only the headers are read.
 * @throws CheckpointError naming the file, when a part is missing or of an unknown kind; FormatError when one is damaged
 */
export async function readDiffusersModel(folder: FolderReader): Promise<DiffusersModel> {
  const index = await readJson(folder, "model_index.json");
  const pipeline = className(index, `${folder.name}/model_index.json`);
  if (!pipelines.includes(pipeline)) {
    throw new CheckpointError(
      `${folder.name}/model_index.json: the pipeline "${pipeline}" is not understood; one of ${pipelines.join(", ")} was expected.`,
    );
  }
  const tokenizerFiles = await readTokenizerFiles(folder);
  return {
    name: folder.name,
    pipeline,
    unet: await readPart(folder, "unet", "unet", unetConfig, ["UNet2DConditionModel"]),
    autoencoder: await readAutoencoder(folder),
    textEncoder: await readPart(folder, "text_encoder", "text-encoder", clipTextConfig, []),
    tokenizer: loadClipTokenizer(tokenizerFiles),
    tokenizerFiles,
    scheduler: await readJson(folder, "scheduler/scheduler_config.json"),
  };
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

async function readTokenizerFiles(folder: FolderReader): Promise<TokenizerFiles> {
  const optional = async (name: string): Promise<string | undefined> =>
    (await folder.exists(`tokenizer/${name}`)) ? folder.readText(`tokenizer/${name}`) : undefined;
  const whole = await optional("tokenizer.json");
  const vocabulary = await optional("vocab.json");
  // Where both forms are there, the older one decides: it is what the tokenizers of all releases read.
  const words =
    vocabulary === undefined && whole !== undefined
      ? splitTokenizerJson(whole)
      : {
          "vocab.json": vocabulary ?? (await requireText(folder, "tokenizer/vocab.json")),
          "merges.txt": await requireText(folder, "tokenizer/merges.txt"),
        };
  return {
    ...words,
    "special_tokens_map.json": await optional("special_tokens_map.json"),
    "tokenizer_config.json": await optional("tokenizer_config.json"),
  };
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
