import { groupByPath, type WeightedAdapter } from "../adapters/combine.ts";
import { type LoraModule, loraWeightShape } from "../adapters/lora.ts";
import { fullyChanged, lowRankParts, mergeParameter } from "../adapters/merge-parameter.ts";
import { changesOf, mergedSource } from "../adapters/merged-source.ts";
import type { AdapterSlots } from "../adapters/slots.ts";
import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { AdapterError } from "../errors.ts";
import { reshape } from "../graph/ops/structure.ts";
import { constant, type FileSlice, fileConstant, type Value } from "../graph/value.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { inPlaceParameters, type Parameters, readWeight, residentParameters } from "../models/checkpoint/parameters.ts";
import type { StoredWeights } from "../models/checkpoint/stored-weights.ts";
import type { ClipTextConfig } from "../models/clip.ts";
import type { ParameterSource } from "../models/layers.ts";
import type { ClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import type { TinyAutoencoderConfig } from "../models/vae/autoencoder-tiny.ts";
import type { AutoencoderConfig } from "../models/vae/config.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/** A network's configuration and where its parameters come from. */
export interface Network<C> {
  readonly config: C;
  readonly source: ParameterSource;
}

/** The network that predicts, and room for adapters that are exchanged while it is compiled. */
export interface UNetNetwork extends Network<UNetConfig> {
  readonly slots?: AdapterSlots;
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
  readonly unet: UNetNetwork;
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
  /** The folder that the runtime is given; undefined where it reads no files, so that weights are taken into memory. */
  readonly folder: string | undefined;
  /** Where a file of the model lies, relative to that folder; as the model calls it, unless told. */
  locate?(file: string): Promise<string>;
  /** For adapters that are too large to be held in memory as well as in the runtime. */
  readonly store?: FactorStore;
}

/** Keeps the factors of adapters in a file. */
export interface FactorStore {
  /** Factors that take no more bytes than this together stay in memory. */
  readonly mostInMemory: number;
  /** Writes a tensor and says where it lies, relative to the place's folder. */
  keep(tensor: Tensor<"float32">): Promise<FileSlice>;
}

/**
 * The model of an opened folder, its weights left in their files. Adapters are merged in float32 when the U-Net is compiled;
 * until then their factors are kept in memory, or in the place's store where there are many.
 * @param place where the files lie, for the runtime
 * @param adapters of the U-Net
 * @param texts adapters of the text encoders
 * @throws AdapterError when a network lacks a layer that an adapter changes; CheckpointError when a weight is no float
 */
export async function modelFromFolder(
  files: DiffusersModel,
  place: ModelPlace,
  adapters: readonly WeightedAdapter[] = [],
  texts: TextAdapters = noTextAdapters,
): Promise<Model> {
  const { name, autoencoder, tokenizer, zerosForEmptyPrompt, scheduler } = files;
  const inPlace = async <C>(part: { readonly config: C; readonly weights: StoredWeights }): Promise<Network<C>> => ({
    config: part.config,
    source: (await placedParameters(part.weights, place)).source,
  });
  return {
    name,
    folder: place.folder,
    unet: await unetFromFolder(files, place, adapters),
    autoencoder:
      autoencoder.kind === "kl"
        ? { kind: "kl", ...(await inPlace(autoencoder)) }
        : { kind: "tiny", ...(await inPlace(autoencoder)) },
    ...(await textsFromFolder(files, place, texts)),
    tokenizer,
    zerosForEmptyPrompt,
    scheduler,
  };
}

/**
 * The U-Net of `modelFromFolder` alone, to exchange adapters in networks that are compiled (`Networks.replaceUNet`).
 * @throws AdapterError when the U-Net lacks a layer that an adapter changes, or it has another shape
 */
export async function unetFromFolder(
  { unet }: DiffusersModel,
  place: ModelPlace,
  adapters: readonly WeightedAdapter[],
): Promise<UNetNetwork> {
  return { config: unet.config, source: await adaptedSource(unet.weights, place, adapters) };
}

/** Adapters of a model's text encoders, or of its only one. */
export interface TextAdapters {
  readonly textEncoder: readonly WeightedAdapter[];
  readonly textEncoder2: readonly WeightedAdapter[];
}

const noTextAdapters: TextAdapters = { textEncoder: [], textEncoder2: [] };

/** A model's text encoders, to exchange adapters in networks that are compiled (`Networks.replaceTextEncoders`). */
export type TextNetworks = Pick<Model, "textEncoder" | "second">;

/**
 * The text encoders of `modelFromFolder` alone.
 * @throws AdapterError when one of them lacks a layer that an adapter changes, or it has another shape
 */
export async function textsFromFolder(
  { textEncoder, second }: DiffusersModel,
  place: ModelPlace,
  adapters: TextAdapters,
): Promise<TextNetworks> {
  const first = await adaptedSource(textEncoder.weights, place, adapters.textEncoder);
  const network: Network<ClipTextConfig> = { config: textEncoder.config, source: first };
  if (second === undefined) return { textEncoder: network };
  const { config, weights } = second.textEncoder;
  const source = await adaptedSource(weights, place, adapters.textEncoder2);
  return { textEncoder: network, second: { textEncoder: { config, source }, tokenizer: second.tokenizer } };
}

/** Weights where the runtime finds them. */
async function placedParameters(weights: StoredWeights, place: ModelPlace): Promise<Parameters> {
  return place.folder === undefined ? residentParameters(weights) : inPlaceParameters(await located(weights, place));
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

/**
 * A network's parameters with adapters merged in where they change it: sums of low-rank products are part of its graph
 * (`mergedSource`); what is changed otherwise is merged here, parameter by parameter, and takes the weight's place.
 */
async function adaptedSource(
  weights: StoredWeights,
  place: ModelPlace,
  adapters: readonly WeightedAdapter[],
): Promise<ParameterSource> {
  const base = await placedParameters(weights, place);
  const merged = await mergedParameters(weights, place, adapters);
  const plain: ParameterSource = (name, shape) => {
    const own = merged.get(name);
    return own === undefined ? base.source(name, shape) : reshape(own, shape);
  };
  const rest = lowRankParts(adapters, merged);
  const modules = Array.from(groupByPath(rest).values(), (parts) => parts.map(({ module }) => module)).flat();
  for (const module of modules) checkLayer(weights, module);
  const { store } = place;
  const kept = new Map<Tensor, Value>();
  if (store !== undefined && factorBytes(modules) > store.mostInMemory) {
    for (const { path, down, up } of modules) {
      for (const tensor of [down, up]) {
        kept.set(tensor, fileConstant(path, tensor.shape, "float32", await store.keep(toFloat32(tensor))));
      }
    }
  }
  const changes = kept.size === 0 ? changesOf(rest) : changesOf(rest, (tensor) => kept.get(tensor)!);
  return changes.size === 0 ? plain : mergedSource(plain, changes);
}

/** The parameters that adapters change otherwise than by low-rank products; where they are many, in the place's store. */
async function mergedParameters(
  weights: StoredWeights,
  { store }: ModelPlace,
  adapters: readonly WeightedAdapter[],
): Promise<ReadonlyMap<string, Value>> {
  const changed = fullyChanged(adapters);
  const stored = Array.from(changed, ([name, parts]) => {
    const weight = weights.tensors.get(name);
    if (weight !== undefined) return { name, parts, weight };
    throw new AdapterError(
      `${parts.path}: an adapter changes its ${name.slice(parts.path.length + 1)}, but the model has none.`,
    );
  });
  const bytes = stored.reduce((sum, { weight }) => sum + 4 * elementCount(weight.entry.shape), 0);
  const values = new Map<string, Value>();
  for (const { name, parts, weight } of stored) {
    const sum = toFloat32(mergeParameter(name, await readWeight(weight), parts));
    const large = store !== undefined && bytes > store.mostInMemory;
    values.set(name, large ? fileConstant(name, sum.shape, "float32", await store.keep(sum)) : constant(sum));
  }
  return values;
}

function factorBytes(modules: readonly LoraModule[]): number {
  return modules.reduce((sum, { down, up }) => sum + down.data.byteLength + up.data.byteLength, 0);
}

/** A 1x1 convolution and a matrix hold the same numbers, and files differ on which of them a layer is. */
function checkLayer({ tensors }: StoredWeights, module: LoraModule): void {
  const stored = tensors.get(`${module.path}.weight`);
  if (stored === undefined)
    throw new AdapterError(`${module.path}: an adapter changes this layer, but the model lacks it.`);
  const { shape } = stored.entry;
  const changed = loraWeightShape(module);
  if (elementCount(shape) === elementCount(changed) && shape[0] === changed[0] && shape[1] === changed[1]) return;
  throw new AdapterError(
    `${module.path}: its weight is [${shape.join(", ")}] in the base, but the adapter changes one of [${changed.join(", ")}].`,
  );
}
