import { AdapterError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readSafetensorsHeader, readTensor } from "../formats/safetensors.ts";
import { sameShape } from "../tensor/arithmetic.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { type AlphaRule, alphaFromMetadata } from "./alpha.ts";
import type { ModelPart } from "./keys/dialect.ts";
import { dialects } from "./keys/index.ts";
import { type KeyMatch, type MatchedModule, matchKeys } from "./keys/match.ts";
import { unsupportedKind } from "./keys/unsupported.ts";
import { type LoraModule, loraRank } from "./lora.ts";
import type { ModuleShape } from "./targets.ts";

/** An adapter as it was found in a file, with what became of each of its keys. */
export interface LoadedAdapter {
  /** The file's name. */
  readonly name: string;
  /** The dialect of its keys. */
  readonly dialect: string;
  /** In the model's order. */
  readonly modules: readonly LoraModule[];
  /** Numbers in the up and down parts. */
  readonly parameters: number;
  /** The commonest rank and alpha; modules may differ. */
  readonly rank: number;
  readonly alpha: number;
  /** How many keys were used. */
  readonly matched: number;
  /** Keys of this part of the model whose module the model does not have, or that lack their other half. */
  readonly unmatched: readonly string[];
  /** Keys of other parts of a pipeline, and keys that no dialect knows. */
  readonly leftOver: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
}

export interface LoadOptions {
  /** The part of a pipeline whose modules were given; the U-Net unless told. */
  readonly part?: ModelPart;
  /** Alpha of modules that have no tensor for it; unless told, the file's metadata decide, or alpha is the rank. */
  readonly alphaRule?: AlphaRule;
}

/**
 * Reads a LoRA of any known dialect from a safetensors file, for a model with these modules.
 * @throws FormatError when the file is no safetensors file.
 * @throws AdapterError when it is no LoRA, none of its modules is the model's, or a shape does not fit.
 */
export async function loadAdapter(
  source: ByteSource,
  modules: readonly ModuleShape[],
  options: LoadOptions = {},
): Promise<LoadedAdapter> {
  const header = await readSafetensorsHeader(source);
  const match = matchAdapterKeys(source.name, header.tensors.keys(), modules, options);
  const tensors = new Map<string, Tensor>();
  for (const { keys } of match.modules) {
    for (const key of Object.values(keys)) tensors.set(key, await readTensor(source, header, key));
  }
  return buildAdapter(source.name, match, tensors, header.metadata, modules, options);
}

/**
 * The same for tensors that another format gave.
 * @throws AdapterError when they are no LoRA, none of its modules is the model's, or a shape does not fit.
 */
export function adapterFromTensors(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
  modules: readonly ModuleShape[],
  options: LoadOptions = {},
): LoadedAdapter {
  const match = matchAdapterKeys(name, tensors.keys(), modules, options);
  return buildAdapter(name, match, tensors, metadata, modules, options);
}

function matchAdapterKeys(
  file: string,
  keys: Iterable<string>,
  modules: readonly ModuleShape[],
  { part = "unet" }: LoadOptions,
): KeyMatch {
  const names = [...keys];
  for (const key of names) {
    const kind = unsupportedKind(key);
    if (kind !== undefined)
      throw new AdapterError(`${file}: "${key}" belongs to ${kind}; only plain LoRAs can be used.`);
  }
  const match = matchKeys(names, modules, part, dialects);
  if (match.modules.length === 0) {
    const example = match.unmatched[0] ?? match.leftOver[0];
    const known = dialects.map(({ name }) => name).join(", ");
    throw new AdapterError(
      example === undefined
        ? `${file}: it holds no tensors.`
        : `${file}: none of its ${names.length} keys, such as "${example}", names a module of this model in a known dialect (${known}); it was made for another model, or is no LoRA.`,
    );
  }
  return match;
}

function buildAdapter(
  file: string,
  match: KeyMatch,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
  modules: readonly ModuleShape[],
  options: LoadOptions,
): LoadedAdapter {
  const rule = options.alphaRule ?? alphaFromMetadata(metadata, options.part ?? "unet", file);
  const shapes = new Map(modules.map((module) => [module.path, module]));
  const loaded: LoraModule[] = [];
  const halves: string[] = [];
  let matched = 0;
  for (const found of match.modules) {
    const keys = Object.values(found.keys);
    const module = buildModule(file, found, tensors, shapes.get(found.path)!, rule);
    if (module === undefined) {
      halves.push(...keys);
    } else {
      loaded.push(module);
      matched += keys.length;
    }
  }
  if (loaded.length === 0) {
    throw new AdapterError(`${file}: no module has both an up and a down part, e.g. "${halves[0]}" stands alone.`);
  }
  return {
    name: file,
    dialect: match.dialect ?? "",
    modules: loaded,
    parameters: loaded.reduce((sum, { down, up }) => sum + elementCount(down.shape) + elementCount(up.shape), 0),
    rank: commonest(loaded.map(loraRank)),
    alpha: commonest(loaded.map(({ alpha }) => alpha)),
    matched,
    unmatched: [...match.unmatched, ...halves],
    leftOver: match.leftOver,
    metadata,
  };
}

/** The module of matched keys, shaped as the model's own; undefined when one of its halves is missing. */
function buildModule(
  file: string,
  { path, keys }: MatchedModule,
  tensors: ReadonlyMap<string, Tensor>,
  model: ModuleShape,
  rule: AlphaRule,
): LoraModule | undefined {
  const down = keys.down === undefined ? undefined : tensors.get(keys.down);
  const up = keys.up === undefined ? undefined : tensors.get(keys.up);
  if (down === undefined || up === undefined) return undefined;
  const rank = down.shape[0] ?? 0;
  const [out = 0, ...inner] = model.weight;
  const window = model.kind === "conv" ? [1, 1] : [];
  const fits =
    rank > 0 &&
    sameUpToOnes(down.shape, [rank, ...inner]) &&
    sameUpToOnes(up.shape, [out, rank]) &&
    isFloat(down) &&
    isFloat(up);
  if (!fits) {
    throw new AdapterError(
      `${file}: module ${path} has a weight of [${model.weight.join(", ")}] in this model, but the file's down part is [${down.shape.join(", ")}] (${down.type}) and its up part [${up.shape.join(", ")}] (${up.type}); it was made for another model.`,
    );
  }
  return {
    path,
    down: { ...down, shape: [rank, ...inner] },
    up: { ...up, shape: [out, rank, ...window] },
    alpha: keys.alpha === undefined ? rule(path, rank) : readAlpha(file, keys.alpha, tensors.get(keys.alpha)),
  };
}

function readAlpha(file: string, key: string, tensor: Tensor | undefined): number {
  const alpha = tensor !== undefined && elementCount(tensor.shape) === 1 ? toFloat32(tensor).data[0] : undefined;
  if (alpha !== undefined && Number.isFinite(alpha)) return alpha;
  throw new AdapterError(`${file}: "${key}" must be one finite number, but it is ${alpha ?? "something else"}.`);
}

/** Whether two shapes differ in trailing ones only: a 1x1 convolution's weight is a linear layer's. */
function sameUpToOnes(a: readonly number[], b: readonly number[]): boolean {
  return sameShape(withoutTrailingOnes(a), withoutTrailingOnes(b)) || sameShape(a, b);
}

function withoutTrailingOnes(shape: readonly number[]): readonly number[] {
  return shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
}

function isFloat({ type }: Tensor): boolean {
  return type === "float32" || type === "float16" || type === "bfloat16" || type === "float64";
}

function commonest(numbers: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}
