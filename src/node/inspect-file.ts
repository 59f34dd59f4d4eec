import { basename, dirname } from "node:path";
import { type LoadedAdapter, loadAdapter } from "../adapters/load.ts";
import { AdapterError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { type TensorFile, unwrapStateDict } from "../formats/tensor-file.ts";
import { familyModules, knownFamilies } from "../generate/family.ts";
import { findBarePart } from "../models/checkpoint/bare-part.ts";
import { isComputed } from "../models/checkpoint/names.ts";
import {
  isOriginalModel,
  type OriginalOptions,
  readOriginalModel,
} from "../models/checkpoint/original/read-original.ts";
import type { ModuleEntry } from "../models/module-table.ts";
import { describeModel, type ModelDescription } from "./inspect-model.ts";
import { countTensors, type PartDescription } from "./inspect-part.ts";
import { openModelFolder } from "./model-folder.ts";

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

/** What a file with one network of a model holds. */
export interface BarePartDescription extends PartDescription {
  readonly kind: "part";
  /** What diffusers calls the part. */
  readonly part: string;
  readonly family: string;
  readonly layout: "diffusers" | "original";
}

/** What another file of tensors holds. */
export interface TensorsDescription {
  readonly kind: "tensors";
  readonly name: string;
  readonly format: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly types: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

export type FileDescription = ModelDescription | LoraDescription | BarePartDescription | TensorsDescription;

/** A base that a LoRA may have been made for. */
export interface LoraBase {
  readonly name: string;
  readonly modules: readonly ModuleEntry[];
}

/** Pieces that keys of LoRAs have, whatever their dialect. */
const loraKey = /lora[_.]|hada_|lokr_|dora_scale|:(down|up)$/;

/**
 * Says what a file of tensors holds, safetensors or a pickle: a model in the original names, one network of a model, a LoRA,
 * compared with the given bases and then with the well-known families, or other tensors.
 * @throws FormatError when it is no such file, AdapterError when it is a LoRA that no known base fits, CheckpointError when
 * it is a model of an unknown family
 */
export async function describeFile(
  path: string,
  bases: () => Promise<readonly LoraBase[]>,
  options: Partial<OriginalOptions> = {},
): Promise<FileDescription> {
  await using folder = await openModelFolder(dirname(path));
  const source = await folder.source(basename(path));
  const file = unwrapStateDict(await openTensorFile(source));
  if (isOriginalModel(file.tensors.keys())) return describeModel(await readOriginalModel(file, options));
  if (file.format === "safetensors") {
    const lora = await describeLora(source, file, await bases());
    if (lora !== undefined) return lora;
  }
  return describeBarePart(file, options) ?? describeTensors(file);
}

async function describeLora(
  source: ByteSource,
  file: TensorFile,
  bases: readonly LoraBase[],
): Promise<LoraDescription | undefined> {
  if (![...file.tensors.keys()].some((key) => loraKey.test(key))) return undefined;
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
    if (refusal !== undefined) throw refusal;
    return undefined;
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

function describeBarePart(file: TensorFile, { families }: Partial<OriginalOptions>): BarePartDescription | undefined {
  const found = findBarePart(file, families);
  if (found === undefined) return undefined;
  const { part, class: className, family, layout, weights, missing, leftOver } = found;
  return {
    kind: "part",
    name: file.name,
    part,
    family,
    layout,
    class: className,
    files: weights.files,
    ...countTensors(weights.tensors.values()),
    missing,
    leftOver: leftOver.filter((key) => !isComputed(key)),
  };
}

function describeTensors({ name, format, tensors, metadata }: TensorFile): TensorsDescription {
  return {
    kind: "tensors",
    name,
    format,
    tensors: tensors.size,
    ...countTensors(tensors.values()),
    metadata: Object.fromEntries(metadata),
  };
}
