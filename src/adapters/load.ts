import { AdapterError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { type LocatedTensor, readLocated, type TensorFile } from "../formats/tensor-file.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { AlphaRule } from "./alpha.ts";
import { type AdapterContent, buildAdapter } from "./build-adapter.ts";
import type { ParameterChange } from "./change.ts";
import { embeddedWords } from "./embedded-words.ts";
import { namesOfList } from "./keys/cloneofsimo.ts";
import type { ModelPart } from "./keys/dialect.ts";
import { foreignBase } from "./keys/foreign-base.ts";
import { dialects } from "./keys/index.ts";
import { type KeyMatch, matchKeys, type PartModules, quoted } from "./keys/match.ts";
import type { LoraModule } from "./lora.ts";
import type { ModuleShape } from "./targets.ts";

/** What an adapter makes of one part of a model. */
export interface PartAdapter {
  /** Low-rank products, in the model's order. */
  readonly modules: readonly LoraModule[];
  /** All that is no low-rank product. */
  readonly changes: readonly ParameterChange[];
}

/** An adapter as it was found in a file, with what became of each of its keys. */
export interface LoadedAdapter {
  /** The file's name. */
  readonly name: string;
  /** The dialect of its keys. */
  readonly dialect: string;
  /** Low-rank products, in the model's order. */
  readonly modules: readonly LoraModule[];
  /** Numbers in its parts, but for alphas. */
  readonly parameters: number;
  /** The commonest rank and alpha; modules may differ. Zero where it has none. */
  readonly rank: number;
  readonly alpha: number;
  /** How many keys were used. */
  readonly matched: number;
  /** Keys of this part of the model whose module the model does not have, or that mean nothing alone. */
  readonly unmatched: readonly string[];
  /** Keys of other parts of a pipeline, and keys that no dialect knows. */
  readonly leftOver: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** An adapter of a whole model; `modules` and `changes` are the U-Net's, and the counts are those of all parts. */
export interface ModelAdapter extends LoadedAdapter {
  readonly changes: readonly ParameterChange[];
  readonly textEncoder: PartAdapter;
  readonly textEncoder2: PartAdapter;
  /** What it is made of, e.g. `LoRA`, `LoHa`; the commonest first. */
  readonly kinds: readonly string[];
  /** Whether nothing is changed, since in each module a factor is zero. */
  readonly zero: boolean;
  /** Vectors `[width]` or `[n, width]` of words that come with it, one tensor for each text encoder. */
  readonly words: ReadonlyMap<string, readonly Tensor[]>;
}

export interface LoadOptions {
  /** The part of a pipeline whose modules were given; the U-Net unless told. */
  readonly part?: ModelPart;
  /** Alpha of modules that have no tensor for it; unless told, the file's metadata decide, or alpha is the rank. */
  readonly alphaRule?: AlphaRule;
}

/**
 * Reads a LoRA of any known dialect, a safetensors file or a pickle, for a part of a model with these modules.
 * @throws FormatError when the file is no file of tensors.
 * @throws AdapterError when it is no LoRA or more than that, none of its modules is the model's, or a shape does not fit.
 */
export async function loadAdapter(
  source: ByteSource,
  modules: readonly ModuleShape[],
  { part = "unet", ...options }: LoadOptions = {},
): Promise<LoadedAdapter> {
  return lowRankOnly(await loadModelAdapter(await openTensorFile(source), { [part]: modules }, options), part);
}

/**
 * The same for tensors that another format gave.
 * @throws AdapterError when they are no LoRA or more than that, none of its modules is the model's, or a shape does not fit.
 */
export function adapterFromTensors(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
  modules: readonly ModuleShape[],
  { part = "unet", ...options }: LoadOptions = {},
): LoadedAdapter {
  const parts = { [part]: modules };
  const match = matchAdapterKeys(name, [...tensors.keys()], parts);
  return lowRankOnly(modelAdapter(name, match, tensors, metadata, new Map(), options), part);
}

/**
 * Reads an adapter of any known kind and dialect for all parts of a model. No tensor is read before its module is known.
 * @param parts the layers of each part (`adaptableLayers`)
 * @throws AdapterError when it is no adapter, none of its modules is the model's, a shape does not fit, a part is missing, a
 * number is not finite, or a module's alpha is zero
 */
export async function loadModelAdapter(
  file: TensorFile,
  parts: PartModules,
  options: Pick<LoadOptions, "alphaRule"> = {},
): Promise<ModelAdapter> {
  const located = namedTensors(file, parts);
  const named = embeddedWords([...located.keys()], file.metadata);
  const ofWords = new Set([...named.values()].flat());
  const match = matchAdapterKeys(
    file.name,
    [...located.keys()].filter((key) => !ofWords.has(key)),
    parts,
  );
  const tensors = new Map<string, Tensor>();
  for (const { keys } of match.modules) {
    for (const key of keys.values()) tensors.set(key, await readLocated(located.get(key)!));
  }
  const words = new Map<string, readonly Tensor[]>();
  for (const [word, keys] of named) {
    words.set(word, await Promise.all(keys.map((key) => readLocated(located.get(key)!))));
  }
  return modelAdapter(file.name, match, tensors, file.metadata, words, options);
}

/** Which tensor of a file is what, of a model with these layers; no tensor is read. */
export function matchFile(file: TensorFile, parts: PartModules): KeyMatch {
  return matchKeys(namedTensors(file, parts).keys(), parts, dialects, file.name);
}

/** The tensors by the names that the dialects know: those of a bare list have none of their own. */
function namedTensors({ tensors, content }: TensorFile, parts: PartModules): ReadonlyMap<string, LocatedTensor> {
  const list = content !== undefined && [...tensors.keys()].every((name, i) => name === String(i));
  const names = list ? namesOfList(tensors.size, parts) : undefined;
  return names === undefined ? tensors : new Map([...tensors.values()].map((located, i) => [names[i]!, located]));
}

function matchAdapterKeys(file: string, keys: readonly string[], parts: PartModules): KeyMatch {
  const foreign = foreignBase(keys);
  if (foreign !== undefined) {
    throw new AdapterError(`${file}: this LoRA was made for ${foreign}, which is another kind of model.`);
  }
  const match = matchKeys(keys, parts, dialects, file);
  if (match.modules.length > 0) return match;
  const example = match.unmatched[0] ?? match.leftOver[0];
  if (example === undefined) throw new AdapterError(`${file}: it holds no tensors.`);
  const known = dialects.map(({ name }) => name).join(", ");
  throw new AdapterError(
    `${file}: none of its keys, such as ${quoted(example)}, names a layer of this model in a known dialect (${known}); it was made for another model, or is no LoRA.`,
  );
}

function modelAdapter(
  name: string,
  match: KeyMatch,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
  words: ModelAdapter["words"],
  { alphaRule }: Pick<LoadOptions, "alphaRule">,
): ModelAdapter {
  const content = buildAdapter(name, match.modules, tensors, metadata, alphaRule);
  const { unet, textEncoder, textEncoder2 } = content.parts;
  return {
    name,
    dialect: match.dialect ?? "",
    ...unet,
    textEncoder,
    textEncoder2,
    ...summary(content),
    words,
    matched: content.used,
    unmatched: [...match.unmatched, ...content.idle],
    leftOver: match.leftOver,
    metadata,
  };
}

function summary({ facts }: AdapterContent): Pick<ModelAdapter, "kinds" | "parameters" | "rank" | "alpha" | "zero"> {
  const numbers = (of: "rank" | "alpha"): number[] => facts.flatMap((fact) => fact[of] ?? []);
  return {
    kinds: byFrequency(facts.map(({ kind }) => kind)),
    parameters: facts.reduce((sum, { parameters }) => sum + parameters, 0),
    rank: byFrequency(numbers("rank"))[0] ?? 0,
    alpha: byFrequency(numbers("alpha"))[0] ?? 0,
    zero: facts.every(({ zero }) => zero),
  };
}

/** One part of an adapter, whose other kinds of change are refused. */
function lowRankOnly(
  { textEncoder, textEncoder2, kinds, zero: _, words: __, ...adapter }: ModelAdapter,
  part: ModelPart,
): LoadedAdapter {
  const { changes, ...rest } = adapter;
  const parts = { unet: { modules: adapter.modules, changes }, textEncoder, textEncoder2 };
  const [other] = parts[part].changes;
  if (other !== undefined) {
    throw new AdapterError(
      `${adapter.name}: its change of ${other.path} is of the kind ${other.kind}; only plain LoRAs can be used here.`,
    );
  }
  return { ...rest, modules: parts[part].modules };
}

/** The different values, the commonest first. */
function byFrequency<T>(values: readonly T[]): T[] {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([value]) => value);
}
