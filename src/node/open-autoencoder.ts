import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CheckpointError, UsageError } from "../errors.ts";
import type { AutoencoderNetwork, Model } from "../generate/model.ts";
import { readAutoencoder } from "../models/checkpoint/diffusers-folder.ts";
import { originalAutoencoderPath } from "../models/checkpoint/original/autoencoder-names.ts";
import { inPlaceParameters, loadWeights, memoryParameters } from "../models/checkpoint/parameters.ts";
import { type StoredWeights, storedWeights } from "../models/checkpoint/stored-weights.ts";
import type { ParameterSource } from "../models/layers.ts";
import { bareTinyParameters, tinyAutoencoderConfig } from "../models/vae/autoencoder-tiny.ts";
import { type AutoencoderConfig, autoencoderConfig } from "../models/vae/config.ts";
import { type ModelFolder, openModelFolder } from "./model-folder.ts";

/** An autoencoder to use in place of a model's; close it when the last network is compiled. */
export interface OpenedAutoencoder extends AsyncDisposable {
  /** Of its file or folder. */
  readonly name: string;
  readonly network: AutoencoderNetwork;
  close(): Promise<void>;
}

/**
 * Opens an autoencoder: a folder as diffusers writes it (AutoencoderKL or AutoencoderTiny), a whole model's folder, a folder
 * with TAESD's two bare files, or one file: TAESD's, or an AutoencoderKL in diffusers' or the original names. A file that
 * comes without a configuration is taken to be built like the model's own autoencoder.
 * @throws UsageError when there is nothing at the path; CheckpointError or FormatError when it is no autoencoder
 */
export async function openAutoencoder(path: string, own: AutoencoderNetwork): Promise<OpenedAutoencoder> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) {
    throw new UsageError(`${path}: there is no such file or folder; give an autoencoder's file or folder.`);
  }
  const folder = await openModelFolder(info.isDirectory() ? path : dirname(path));
  const close = (): Promise<void> => folder.close();
  try {
    const network = info.isDirectory() ? await fromFolder(folder) : await fromFile(folder, basename(path), own);
    return { name: basename(path).replace(/\.\w+$/, ""), network, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * A model with another autoencoder.
 * @throws UsageError when its latents have other channels than the model draws
 */
export function withAutoencoder(model: Model, { name, network }: OpenedAutoencoder): Model {
  const [given, wanted] = [network.config.latentChannels, model.autoencoder.config.latentChannels];
  if (given === wanted) return { ...model, autoencoder: network };
  throw new UsageError(
    `${name}: this autoencoder's latents have ${given} channels, but ${model.name} draws ${wanted}; it is of another family.`,
  );
}

const taesd = { encoder: "taesd_encoder.safetensors", decoder: "taesd_decoder.safetensors" } as const;

async function fromFolder(folder: ModelFolder): Promise<AutoencoderNetwork> {
  const part = (await folder.exists("model_index.json")) ? "vae" : ".";
  if (part === "vae" || (await folder.exists("config.json"))) {
    const { weights, ...rest } = await readAutoencoder(folder, part);
    const { source } = await inPlaceParameters(weights);
    return rest.kind === "kl"
      ? { kind: "kl", config: rest.config, source, folder: folder.path }
      : { kind: "tiny", config: rest.config, source, folder: folder.path };
  }
  if (await folder.exists(taesd.decoder)) return bareTiny(folder, taesd.decoder);
  throw new CheckpointError(
    `${folder.name}: this folder holds no autoencoder; config.json, model_index.json or ${taesd.decoder} was expected.`,
  );
}

async function fromFile(folder: ModelFolder, name: string, own: AutoencoderNetwork): Promise<AutoencoderNetwork> {
  const weights = await storedWeights(folder, [name], "autoencoder");
  const keys = [...weights.tensors.keys()];
  if (keys.every((key) => /^\d+\./.test(key))) return bareTiny(folder, name);
  if (keys.some((key) => key.startsWith("decoder.layers."))) {
    const { source } = await inPlaceParameters(weights);
    return { kind: "tiny", config: tinyAutoencoderConfig({}), source, folder: folder.path };
  }
  const config = own.kind === "kl" ? own.config : stableDiffusion();
  const { source } = await inPlaceParameters(weights);
  return { kind: "kl", config, source: namedSource(weights, config, source), folder: folder.path };
}

/** Every Stable Diffusion's. */
function stableDiffusion(): AutoencoderConfig {
  return autoencoderConfig({ block_out_channels: [128, 256, 512, 512], layers_per_block: 2 });
}

/** What the first code of Stable Diffusion puts before an autoencoder's names, in whole checkpoints. */
const prefix = "first_stage_model.";

/** A source that is asked by diffusers' names, over a file that may have the original ones. */
function namedSource(
  { tensors }: StoredWeights,
  { channels }: AutoencoderConfig,
  source: ParameterSource,
): ParameterSource {
  const before = tensors.has(`${prefix}decoder.conv_in.weight`) ? prefix : "";
  const original = [...tensors.keys()].some((key) => key.startsWith(`${before}decoder.up.`));
  if (!original) return source;
  return (name, shape) => {
    const end = name.lastIndexOf(".");
    return source(`${before}${originalAutoencoderPath(name.slice(0, end), channels.length)}${name.slice(end)}`, shape);
  };
}

/** TAESD's bare files: the named one and its other half, which may be missing until it is needed. */
async function bareTiny(folder: ModelFolder, name: string): Promise<AutoencoderNetwork> {
  const named = /encoder/i.test(name) ? "encoder" : "decoder";
  const other = name.replace(/encoder|decoder/i, named === "encoder" ? "decoder" : "encoder");
  const half = async (file: string): Promise<ParameterSource> => {
    if (!(await folder.exists(file))) return missing(folder, file);
    return memoryParameters(await loadWeights(await storedWeights(folder, [file], "autoencoder")), file).source;
  };
  const [given, partner] = [await half(name), other === name ? missing(folder, "its encoder") : await half(other)];
  const [encoder, decoder] = named === "encoder" ? [given, partner] : [partner, given];
  return { kind: "tiny", config: tinyAutoencoderConfig({}), source: bareTinyParameters(encoder, decoder) };
}

function missing(folder: ModelFolder, file: string): ParameterSource {
  return () => {
    throw new CheckpointError(`${folder.name}: ${file} is missing, which this needs; put it beside the other half.`);
  };
}
