import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import type { JsonObject } from "../../formats/json.ts";
import type { AutoencoderNetwork, Model } from "../../generate/model.ts";
import type { ModelContents } from "../../models/checkpoint/encode-folder.ts";
import { memoryParameters } from "../../models/checkpoint/parameters.ts";
import type { ClipTextConfig } from "../../models/clip.ts";
import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import type { TokenizerFiles } from "../../models/tokenizer/tokenizer-files.ts";
import type { UNetConfig } from "../../models/unet/config.ts";
import type { TinyAutoencoderConfig } from "../../models/vae/autoencoder-tiny.ts";
import type { AutoencoderConfig } from "../../models/vae/config.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Weights in memory by diffusers' names, in the shapes of files. */
export type Weights = ReadonlyMap<string, Tensor<"float32">>;

/** One network with its weights in memory. */
export interface MemoryPart<C> {
  readonly config: C;
  /** The configuration as diffusers writes it. */
  readonly json: JsonObject;
  readonly tensors: Weights;
}

/** Either autoencoder with its weights in memory. */
export type MemoryAutoencoder =
  | (MemoryPart<AutoencoderConfig> & { readonly kind: "kl" })
  | (MemoryPart<TinyAutoencoderConfig> & { readonly kind: "tiny" });

/** A whole model with its weights in memory: what training starts from, draws with and writes. */
export interface MemoryModel {
  /** What errors call it. */
  readonly name: string;
  readonly unet: MemoryPart<UNetConfig>;
  readonly textEncoder: MemoryPart<ClipTextConfig>;
  readonly autoencoder: MemoryAutoencoder;
  readonly tokenizer: ClipTokenizer;
  readonly tokenizerFiles: TokenizerFiles;
  /** With diffusers' `_class_name`. */
  readonly scheduler: SchedulerConfig;
}

/** An autoencoder as graphs are built with it. */
export function autoencoderNetwork(autoencoder: MemoryAutoencoder): AutoencoderNetwork {
  const { source } = memoryParameters(autoencoder.tensors, "vae");
  return autoencoder.kind === "kl"
    ? { kind: "kl", config: autoencoder.config, source }
    : { kind: "tiny", config: autoencoder.config, source };
}

/** The model as pictures are drawn with it. */
export function drawable({ name, unet, textEncoder, autoencoder, tokenizer, scheduler }: MemoryModel): Model {
  return {
    name,
    folder: undefined,
    unet: { config: unet.config, source: memoryParameters(unet.tensors, "unet").source },
    textEncoder: { config: textEncoder.config, source: memoryParameters(textEncoder.tensors, "text_encoder").source },
    autoencoder: autoencoderNetwork(autoencoder),
    tokenizer,
    scheduler,
  };
}

/** The model as a folder of diffusers is written from it; a U-Net that takes its guidance as an input has its own pipeline. */
export function contentsOf(model: MemoryModel): ModelContents {
  const { unet, textEncoder, autoencoder, tokenizerFiles, scheduler } = model;
  const { kind, json, tensors } = autoencoder;
  return {
    unet: { config: unet.json, tensors: unet.tensors },
    autoencoder: { kind, config: json, tensors },
    textEncoder: { config: textEncoder.json, tensors: textEncoder.tensors },
    tokenizer: tokenizerFiles,
    scheduler,
    pipeline: unet.config.guidanceWidth === undefined ? "StableDiffusionPipeline" : "LatentConsistencyModelPipeline",
  };
}
