import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { blockFactors, idleParts } from "../adapters/block-weights.ts";
import type { WeightedAdapter } from "../adapters/combine.ts";
import { type LoadedAdapter, loadAdapter } from "../adapters/load.ts";
import type { StepWeights } from "../adapters/step-weights.ts";
import { AdapterError, UsageError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { unwrapStateDict } from "../formats/tensor-file.ts";
import { familyModules, familyOf, knownFamilies } from "../generate/family.ts";
import { type Model, type ModelPlace, modelFromFolder } from "../generate/model.ts";
import { type DiffusersModel, readDiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { type OriginalOptions, readOriginalModel } from "../models/checkpoint/original/read-original.ts";
import { wholeModel } from "../models/checkpoint/original/whole-model.ts";
import { type ModuleEntry, unetTable } from "../models/module-table.ts";
import { findTokenizer } from "./find-tokenizer.ts";
import type { LoraChoice } from "./lora-choice.ts";
import { type ModelFolder, openModelFolder } from "./model-folder.ts";
import { modelPlace } from "./model-place.ts";

/** A model's folder, opened and read but for its weights; close the folder when the last network is compiled. */
export interface OpenedModel {
  readonly folder: ModelFolder;
  readonly files: DiffusersModel;
  /** Where the runtime finds the files; closing the folder removes what adapters have stored there. */
  readonly place: ModelPlace;
}

/** How a model in one file is read; a folder says all this itself. */
export interface OpenModelOptions extends Partial<OriginalOptions> {
  /** Folder with the tokenizer; found beside the file or in the hub's cache unless told. */
  readonly tokenizer?: string;
  /** Parts, by their names in diffusers, that may be missing because others take their place. */
  readonly replaced?: readonly string[];
  /** Settings of the hub's cache; those of the process unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens a model: a folder as diffusers writes it, or one file in the original names.
 * @throws UsageError when there is no such folder or file, CheckpointError or FormatError when it is no whole model
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const single = await isFile(path);
  const folder = await openModelFolder(single ? dirname(path) : path);
  try {
    const place = await modelPlace(folder.path);
    const close = async (): Promise<void> => {
      await place[Symbol.asyncDispose]();
      await folder.close();
    };
    return {
      folder: { ...folder, close, [Symbol.asyncDispose]: close },
      files: single ? await readSingleFile(folder, path, options) : await readFolder(folder, path, options),
      place,
    };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

async function readFolder(
  folder: ModelFolder,
  path: string,
  { tokenizer, prediction }: OpenModelOptions,
): Promise<DiffusersModel> {
  if (tokenizer === undefined && prediction === undefined) return readDiffusersModel(folder);
  throw new UsageError(`${path}: a folder says itself what its tokenizer is and what it predicts; leave that out.`);
}

async function readSingleFile(folder: ModelFolder, path: string, options: OpenModelOptions): Promise<DiffusersModel> {
  const { tokenizer, replaced = [], env = process.env, ...original } = options;
  const file = unwrapStateDict(await openTensorFile(await folder.source(basename(path))));
  const model = await readOriginalModel(file, original);
  return wholeModel(model, await findTokenizer(path, tokenizer, env), replaced);
}

/** A LoRA that was read for a model, and how strongly it is applied. */
export interface ChosenAdapter {
  readonly path: string;
  readonly adapter: LoadedAdapter;
  /** Lambda; where it changes with the steps, that of the first. */
  readonly weight: number;
  /** Lambda in each step, where it changes. */
  readonly steps?: StepWeights;
  /** What lambda is multiplied by in each layer; 1 unless told. */
  readonly layer?: (path: string) => number;
  /** Parts among the block weights whose layers the LoRA does not change. */
  readonly idleParts?: readonly string[];
}

/**
 * Reads LoRAs for a model's U-Net.
 * @param known those that were read before, by path
 * @throws AdapterError naming the file and, where it can be told, its base, when one was made for another model; UsageError
 * when block weights do not fit the model
 */
export async function readLoras(
  files: DiffusersModel,
  choices: readonly LoraChoice[],
  known: ReadonlyMap<string, LoadedAdapter> = new Map(),
): Promise<ChosenAdapter[]> {
  if (choices.length === 0) return [];
  const { modules } = unetTable(files.unet.config);
  const paths = modules.map(({ path }) => path);
  const chosen: ChosenAdapter[] = [];
  for (const { path, weight, steps, blocks } of choices) {
    const layer = blocks === undefined ? {} : { layer: blockFactors(blocks, paths).layer };
    const adapter = known.get(path) ?? (await readLora(path, modules, files));
    const changed = adapter.modules.map((module) => module.path);
    const idle = blocks === undefined ? [] : idleParts(blocks, changed, paths);
    chosen.push({ path, adapter, weight, ...(steps === undefined ? {} : { steps }), ...layer, idleParts: idle });
  }
  return chosen;
}

/** LoRAs with their lambdas, as networks take them: those of the first step, or of another one of so many. */
export function weightedAdapters(
  adapters: readonly ChosenAdapter[],
  [index, count]: readonly [index: number, count: number] = [0, 1],
): WeightedAdapter[] {
  return adapters.map(({ adapter: { modules }, weight, steps, layer }) => {
    const lambda = steps === undefined ? weight : steps.at(index, count);
    return { modules, lambda: layer === undefined ? lambda : (path) => lambda * layer(path) };
  });
}

/** The model with LoRAs merged into its U-Net, weighted as for the first step. */
export function adaptedModel({ files, place }: OpenedModel, adapters: readonly ChosenAdapter[]): Promise<Model> {
  return modelFromFolder(files, place, weightedAdapters(adapters));
}

async function readLora(path: string, modules: readonly ModuleEntry[], files: DiffusersModel): Promise<LoadedAdapter> {
  await using source = await openFileSource(path);
  let adapter: LoadedAdapter;
  try {
    adapter = await loadAdapter(source, modules);
  } catch (error) {
    if (error instanceof AdapterError) throw await namedBase(error, path, files);
    throw error;
  }
  if (adapter.unmatched.length > adapter.matched) {
    const stray = `${adapter.unmatched.length} of its ${adapter.unmatched.length + adapter.matched} keys, such as "${adapter.unmatched[0]}"`;
    const error = new AdapterError(
      `${adapter.name}: ${stray}, name no layer of ${files.name}; it was made for another model.`,
    );
    throw await namedBase(error, path, files);
  }
  return adapter;
}

/** The error with the base that the LoRA was made for, if it is a well-known one; else as it is. */
async function namedBase(error: AdapterError, path: string, files: DiffusersModel): Promise<AdapterError> {
  const own = familyOf(files.unet.config)?.name;
  const base = await baseOfLora(path, own);
  if (base === undefined) return error;
  const model = own === undefined ? files.name : `${files.name} (${own})`;
  return new AdapterError(
    `${basename(path)}: this LoRA was made for ${base}, so it cannot be used with ${model}; choose one trained on this model.`,
    { cause: error },
  );
}

/** Name of the family whose U-Net has all modules of a LoRA. */
async function baseOfLora(path: string, except: string | undefined): Promise<string | undefined> {
  await using source = await openFileSource(path);
  for (const family of knownFamilies()) {
    if (family.name === except) continue;
    const adapter = await loadAdapter(source, familyModules(family)).catch(() => undefined);
    if (adapter !== undefined && adapter.unmatched.length === 0) return family.name;
  }
  return undefined;
}
