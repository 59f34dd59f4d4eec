import { type LoadedAdapter, loadAdapter } from "../adapters/load.ts";
import { AdapterError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { readSafetensorsHeader } from "../formats/safetensors.ts";
import { type SafetensorsHeader, storedTypeName } from "../formats/safetensors-header.ts";
import { familyModules, knownFamilies } from "../generate/family.ts";
import type { ModuleEntry } from "../models/module-table.ts";
import { elementCount } from "../tensor/tensor.ts";

/** What a LoRA holds. */
export interface LoraDescription {
  readonly kind: "lora";
  readonly name: string;
  readonly dialect: string;
  /** The base that has all its layers, or most of them. */
  readonly family: string;
  readonly modules: number;
  readonly parameters: number;
  /** The commonest rank and alpha. */
  readonly rank: number;
  readonly alpha: number;
  /** Tensors whose layer the base does not have. */
  readonly unmatched: readonly string[];
  /** Tensors of other parts than the U-Net, such as the text encoder. */
  readonly leftOver: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What another safetensors file holds. */
export interface TensorsDescription {
  readonly kind: "tensors";
  readonly name: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly types: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A base that a LoRA may have been made for. */
export interface LoraBase {
  readonly name: string;
  readonly modules: readonly ModuleEntry[];
}

/** Pieces that keys of LoRAs have, whatever their dialect. */
const loraKey = /lora[_.]|\.lora_|hada_|lokr_|dora_scale/;

/**
 * Says what a safetensors file holds: a LoRA, compared with the given bases and then with the well-known families, or
 * tensors.
 * @throws FormatError when it is no safetensors file, AdapterError when it is a LoRA that no known base fits
 */
export async function describeFile(
  path: string,
  bases: readonly LoraBase[],
): Promise<LoraDescription | TensorsDescription> {
  await using source = await openFileSource(path);
  const header = await readSafetensorsHeader(source);
  let best: { readonly base: string; readonly adapter: LoadedAdapter } | undefined;
  let refusal: AdapterError | undefined;
  for (const base of candidates(bases)) {
    try {
      const adapter = await loadAdapter(source, base.modules);
      if (best === undefined || adapter.matched > best.adapter.matched) best = { base: base.name, adapter };
      if (adapter.unmatched.length === 0) break;
    } catch (error) {
      if (!(error instanceof AdapterError)) throw error;
      refusal ??= error;
    }
  }
  if (best === undefined) {
    if (refusal !== undefined && [...header.tensors.keys()].some((key) => loraKey.test(key))) throw refusal;
    return describeTensors(source.name, header);
  }
  const { adapter, base } = best;
  const { name, dialect, parameters, rank, alpha, unmatched, leftOver, metadata } = adapter;
  return {
    kind: "lora",
    name,
    dialect,
    family: base,
    modules: adapter.modules.length,
    parameters,
    rank,
    alpha,
    unmatched,
    leftOver,
    metadata: Object.fromEntries(metadata),
  };
}

function* candidates(bases: readonly LoraBase[]): Generator<LoraBase> {
  yield* bases;
  for (const family of knownFamilies()) yield { name: family.name, modules: familyModules(family) };
}

function describeTensors(name: string, { tensors, metadata }: SafetensorsHeader): TensorsDescription {
  const entries = [...tensors.values()];
  return {
    kind: "tensors",
    name,
    tensors: entries.length,
    parameters: entries.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    types: [...new Set(entries.map(({ type }) => storedTypeName(type)))],
    metadata: Object.fromEntries(metadata),
  };
}
