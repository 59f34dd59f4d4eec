import { groupByPath, mergeWeight, type WeightedAdapter, type WeightedModule } from "../adapters/combine.ts";
import { loraWeightShape } from "../adapters/lora.ts";
import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { AdapterError } from "../errors.ts";
import { type FileSlice, fileConstant } from "../graph/value.ts";
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

/** How a runtime reaches a model's files, and what adapters make of them. */
export interface ModelPlace {
  /** The folder that the runtime is given. */
  readonly folder: string;
  /** Where a file of the model lies, relative to that folder; as the model calls it, unless told. */
  locate?(file: string): Promise<string>;
  /** For merged weights that are too large to be held in memory as well as in the runtime. */
  readonly store?: MergedStore;
}

/** Keeps merged weights in a file. */
export interface MergedStore {
  /** Merged weights that take no more bytes than this together stay in memory. */
  readonly mostInMemory: number;
  /** Writes a tensor and says where it lies, relative to the place's folder. */
  keep(tensor: Tensor<"float32">): Promise<FileSlice>;
}

/**
 * The model of an opened folder, its weights left in their files, but for those that adapters change: these are merged in
 * float32 and kept in memory, or in the place's store where there are many.
 * @param place where the files lie, for the runtime
 * @throws AdapterError when the U-Net lacks a layer that an adapter changes; CheckpointError when a weight is no float
 */
export async function modelFromFolder(
  files: DiffusersModel,
  place: ModelPlace,
  adapters: readonly WeightedAdapter[] = [],
): Promise<Model> {
  const { name, unet, autoencoder, textEncoder, tokenizer, second, zerosForEmptyPrompt, scheduler } = files;
  const inPlace = async <C>(part: { readonly config: C; readonly weights: StoredWeights }): Promise<Network<C>> => ({
    config: part.config,
    source: (await inPlaceParameters(await located(part.weights, place))).source,
  });
  return {
    name,
    folder: place.folder,
    unet: { config: unet.config, source: await adaptedSource(unet.weights, place, adapters) },
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

/** Weights whose files are named as the runtime finds them. */
async function located(weights: StoredWeights, place: ModelPlace): Promise<StoredWeights> {
  if (place.locate === undefined) return weights;
  const places = new Map<string, string>();
  for (const file of weights.files) places.set(file, await place.locate(file));
  const tensors = new Map(
    Array.from(weights.tensors, ([name, stored]) => [
      name,
      { ...stored, file: places.get(stored.file) ?? stored.file },
    ]),
  );
  return { ...weights, tensors };
}

async function adaptedSource(
  weights: StoredWeights,
  place: ModelPlace,
  adapters: readonly WeightedAdapter[],
): Promise<ParameterSource> {
  const base = await inPlaceParameters(await located(weights, place));
  const groups = groupByPath(adapters);
  if (groups.size === 0) return base.source;
  const { store } = place;
  const kept = new Map<string, FileSlice>();
  const merged = new Map<string, Tensor<"float32">>();
  const inMemory = store === undefined || mergedBytes(groups) <= store.mostInMemory;
  for (const [path, parts] of groups) {
    const weight = await mergedWeight(weights, path, parts);
    if (inMemory) merged.set(`${path}.weight`, weight);
    else kept.set(`${path}.weight`, await store.keep(weight));
  }
  if (inMemory) return replacedParameters(base, merged).source;
  return (name, shape) => {
    const slice = kept.get(name);
    return slice === undefined ? base.source(name, shape) : fileConstant(name, shape, "float32", slice);
  };
}

function mergedBytes(groups: ReadonlyMap<string, readonly WeightedModule[]>): number {
  let elements = 0;
  for (const [first] of groups.values()) elements += elementCount(loraWeightShape(first!.module));
  return 4 * elements;
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
