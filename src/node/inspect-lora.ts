import { foreignBase } from "../adapters/keys/foreign-base.ts";
import { dialects } from "../adapters/keys/index.ts";
import type { PartModules } from "../adapters/keys/match.ts";
import { quoted } from "../adapters/keys/match.ts";
import { loadModelAdapter, type ModelAdapter, matchFile } from "../adapters/load.ts";
import { AdapterError } from "../errors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { accelerationOfNames, namesInMetadata } from "../generate/acceleration.ts";
import { familyLayers } from "../generate/read-lora.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { trainedWords } from "./inspect-words.ts";
import { loraName } from "./lora-files.ts";
import { besideRule } from "./read-lora.ts";

/** What a LoRA holds. */
export interface LoraDescription {
  readonly kind: "lora";
  readonly name: string;
  readonly dialect: string;
  /** What it is made of, e.g. `LoRA` or `LoHa`, the commonest first. */
  readonly kinds: readonly string[];
  /** The base that has all its layers, or most of them. */
  readonly family: string;
  /** Layers that it changes, in all parts. */
  readonly modules: number;
  /** How many of them each part has. */
  readonly parts: Readonly<Record<string, number>>;
  readonly parameters: number;
  /** The commonest rank and alpha; zero where it has none. */
  readonly rank: number;
  readonly alpha: number;
  /** The smallest and the largest rank, where modules differ. */
  readonly ranks?: readonly [smallest: number, largest: number];
  /** What it accelerates by, e.g. `an LCM-LoRA`; undefined when it does not say that it does. */
  readonly acceleration?: string;
  /** Words that it says it was trained on, the most telling first. */
  readonly words: readonly string[];
  /** Whether all changes are zero, so that it does nothing. */
  readonly zero: boolean;
  /** Tensors that were used. */
  readonly matched: number;
  /** Tensors whose layer the base does not have. */
  readonly unmatched: readonly string[];
  /** Tensors of other parts than the base has, and of no known name. */
  readonly leftOver: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A base that a LoRA may have been made for. */
export interface LoraBase {
  readonly name: string;
  readonly layers: PartModules;
}

/** Pieces that keys of adapters have, whatever their dialect. */
const adapterKey = /lora[_.]|lycoris_|hada_|lokr_|oft_|dora_scale|\.diff(_b)?$|\.[wb]_norm$|:(down|up)$/;

/**
 * Says what an adapter holds, compared with the given bases and then with the well-known families: of those with the most of
 * its layers, the first that they fit.
 * @returns undefined when no key looks like an adapter's
 * @throws AdapterError when no base fits, or it is damaged
 */
export async function describeLora(
  path: string,
  file: TensorFile,
  given: () => Promise<readonly LoraBase[]>,
): Promise<LoraDescription | undefined> {
  const list = [...file.tensors.keys()].every((name, i) => name === String(i));
  if (!list && ![...file.tensors.keys()].some((key) => adapterKey.test(key))) return undefined;
  const foreign = foreignBase([...file.tensors.keys()]);
  if (foreign !== undefined)
    throw new AdapterError(`${file.name}: this LoRA was made for ${foreign}, which is another kind of model.`);
  const bases = [
    ...(await given()),
    ...modelFamilies.map((family) => ({ name: family.name, layers: familyLayers(family) })),
  ];
  const ranked = bases
    .map((base) => ({ base, matched: matchedKeys(file, base.layers) }))
    .filter(({ matched }) => matched > 0)
    .sort((a, b) => b.matched - a.matched);
  if (ranked.length === 0) {
    if (list) return undefined;
    throw nothingKnown(file, bases);
  }
  let refusal: unknown;
  for (const { base } of ranked) {
    try {
      const adapter = await loadModelAdapter(file, base.layers, await besideRule(path, file));
      return description(path, base.name, adapter);
    } catch (error) {
      if (!(error instanceof AdapterError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/** How many keys name a layer; all of them where two keys claim one part, which loading will tell. */
function matchedKeys(file: TensorFile, layers: PartModules): number {
  try {
    return matchFile(file, layers).modules.reduce((sum, { keys }) => sum + keys.size, 0);
  } catch (error) {
    if (error instanceof AdapterError) return file.tensors.size;
    throw error;
  }
}

function nothingKnown(file: TensorFile, bases: readonly LoraBase[]): AdapterError {
  const [example = ""] = file.tensors.keys();
  const models = bases.map(({ name }) => name).join(", ");
  const names = dialects.map(({ name }) => name).join(", ");
  return new AdapterError(
    `${file.name}: none of its keys, such as ${quoted(example)}, names a layer of a known model (${models}) in a known dialect (${names}); give the model that it was made for with --model.`,
  );
}

function description(path: string, family: string, adapter: ModelAdapter): LoraDescription {
  const { name, dialect, kinds, parameters, rank, alpha, zero, matched, unmatched, leftOver, metadata } = adapter;
  const parts = { unet: adapter, text_encoder: adapter.textEncoder, text_encoder_2: adapter.textEncoder2 };
  const counts = Object.entries(parts).flatMap(([part, { modules, changes }]) => {
    const count = new Set([...modules, ...changes].map((change) => change.path)).size;
    return count === 0 ? [] : [[part, count] as const];
  });
  const all = Object.values(parts).flatMap(({ modules, changes }) => [
    ...modules.map(({ down }) => down.shape[0] ?? 0),
    ...changes.flatMap((change) => change.rank ?? []),
  ]);
  const smallest = all.reduce((least, rank) => Math.min(least, rank), Number.POSITIVE_INFINITY);
  const largest = all.reduce((most, rank) => Math.max(most, rank), 0);
  const acceleration = accelerationOfNames([loraName(path)]) ?? accelerationOfNames(namesInMetadata(metadata));
  return {
    kind: "lora",
    name,
    dialect,
    kinds,
    family,
    modules: counts.reduce((sum, [, count]) => sum + count, 0),
    parts: Object.fromEntries(counts),
    parameters,
    rank,
    alpha,
    ...(smallest < largest ? { ranks: [smallest, largest] as const } : {}),
    ...(acceleration === undefined
      ? {}
      : { acceleration: acceleration === "lcm-lora" ? "an LCM-LoRA" : acceleration.title }),
    words: trainedWords(metadata),
    zero,
    matched,
    unmatched,
    leftOver,
    metadata: Object.fromEntries(metadata),
  };
}
