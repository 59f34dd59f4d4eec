import { groupByPath, mergeWeight, type WeightedAdapter, type WeightedModule } from "../adapters/combine.ts";
import { loraWeightShape } from "../adapters/lora.ts";
import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { AdapterError } from "../errors.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { inPlaceParameters, readWeight, replacedParameters } from "../models/checkpoint/parameters.ts";
import type { StoredWeights } from "../models/checkpoint/stored-weights.ts";
import type { ClipTextConfig } from "../models/clip.ts";
import type { ParameterSource } from "../models/layers.ts";
import type { ClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import type { TinyAutoencoderConfig } from "../models/vae/autoencoder-tiny.ts";
import type { AutoencoderConfig } from "../models/vae/config.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/** A network's configuration and where its parameters come from. */
export interface Network<C> {
  readonly config: C;
  readonly source: ParameterSource;
}

/** Either autoencoder; with a folder of its own where its files do not lie in the model's. */
export type AutoencoderNetwork =
  | (Network<AutoencoderConfig> & { readonly kind: "kl"; readonly folder?: string })
  | (Network<TinyAutoencoderConfig> & { readonly kind: "tiny"; readonly folder?: string });

/** All that is needed to draw pictures. */
export interface Model {
  /** What errors call it. */
  readonly name: string;
  /** The folder of the files that parameters lie in, for the runtime; undefined when all are in memory. */
  readonly folder: string | undefined;
  readonly unet: Network<UNetConfig>;
  readonly autoencoder: AutoencoderNetwork;
  readonly textEncoder: Network<ClipTextConfig>;
  readonly tokenizer: ClipTokenizer;
  /** The second text encoder of SDXL: its states lie beside the first's, and the U-Net takes its pooled text. */
  readonly second?: { readonly textEncoder: Network<ClipTextConfig>; readonly tokenizer: ClipTokenizer };
  /** Whether an empty negative prompt is all zeros, diffusers' `force_zeros_for_empty_prompt`; no, unless told. */
  readonly zerosForEmptyPrompt?: boolean;
  readonly scheduler: SchedulerConfig;
}

/**
 * The model of an opened folder, its weights left in their files, but for those that adapters change: these are merged in
 * float32 and kept in memory.
 * @param folder where the files lie, for the runtime
 * @throws AdapterError when the U-Net lacks a layer that an adapter changes; CheckpointError when a weight is no float
 */
export async function modelFromFolder(
  files: DiffusersModel,
  folder: string,
  adapters: readonly WeightedAdapter[] = [],
): Promise<Model> {
  const { name, unet, autoencoder, textEncoder, tokenizer, second, zerosForEmptyPrompt, scheduler } = files;
  const inPlace = async <C>(part: { readonly config: C; readonly weights: StoredWeights }): Promise<Network<C>> => ({
    config: part.config,
    source: (await inPlaceParameters(part.weights)).source,
  });
  return {
    name,
    folder,
    unet: { config: unet.config, source: await adaptedSource(unet.weights, adapters) },
    autoencoder:
      autoencoder.kind === "kl"
        ? { kind: "kl", ...(await inPlace(autoencoder)) }
        : { kind: "tiny", ...(await inPlace(autoencoder)) },
    textEncoder: await inPlace(textEncoder),
    tokenizer,
    ...(second === undefined
      ? {}
      : { second: { textEncoder: await inPlace(second.textEncoder), tokenizer: second.tokenizer } }),
    zerosForEmptyPrompt,
    scheduler,
  };
}

async function adaptedSource(weights: StoredWeights, adapters: readonly WeightedAdapter[]): Promise<ParameterSource> {
  const base = await inPlaceParameters(weights);
  const groups = groupByPath(adapters);
  if (groups.size === 0) return base.source;
  const merged = new Map<string, Tensor<"float32">>();
  for (const [path, parts] of groups) merged.set(`${path}.weight`, await mergedWeight(weights, path, parts));
  return replacedParameters(base, merged).source;
}

async function mergedWeight(
  { tensors }: StoredWeights,
  path: string,
  parts: readonly WeightedModule[],
): Promise<Tensor<"float32">> {
  const stored = tensors.get(`${path}.weight`);
  if (stored === undefined) throw new AdapterError(`${path}: an adapter changes this layer, but the model lacks it.`);
  const weight = await readWeight(stored);
  // A 1x1 convolution and a matrix hold the same numbers; the adapter has the shape that the model asks for.
  const shape = loraWeightShape(parts[0]!.module);
  const shaped = elementCount(shape) === elementCount(weight.shape) ? { ...weight, shape } : weight;
  return mergeWeight(path, shaped, parts) as Tensor<"float32">;
}
