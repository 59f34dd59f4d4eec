import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { ModelAdapter } from "../adapters/load.ts";
import { UsageError } from "../errors.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { unwrapStateDict } from "../formats/tensor-file.ts";
import {
  type ChosenAdapter,
  type LoraChoice,
  readChosenLoras,
  weightedAdapters,
  weightedTextAdapters,
} from "../generate/chosen-loras.ts";
import { type Model, type ModelPlace, modelFromFolder } from "../generate/model.ts";
import { type DiffusersModel, readDiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { type OriginalOptions, readOriginalModel } from "../models/checkpoint/original/read-original.ts";
import { wholeModel } from "../models/checkpoint/original/whole-model.ts";
import { findTokenizer } from "./find-tokenizer.ts";
import { type ModelFolder, openModelFolder } from "./model-folder.ts";
import { modelPlace } from "./model-place.ts";
import { readLora } from "./read-lora.ts";

export { type ChosenAdapter, weightedAdapters, weightedTextAdapters };

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

/**
 * Reads LoRAs' files for a model's U-Net and text encoders.
 * @param known those that were read before, by path
 * @throws AdapterError naming the file and, where it can be told, its base, when one was made for another model; UsageError
 * when block weights do not fit the model
 */
export function readLoras(
  files: DiffusersModel,
  choices: readonly LoraChoice[],
  known: ReadonlyMap<string, ModelAdapter> = new Map(),
): Promise<ChosenAdapter[]> {
  return readChosenLoras(files, choices, readLora, known);
}

/** The model with LoRAs merged into its U-Net, weighted as for the first step, and into its text encoders. */
export function adaptedModel({ files, place }: OpenedModel, adapters: readonly ChosenAdapter[]): Promise<Model> {
  return modelFromFolder(files, place, weightedAdapters(adapters), weightedTextAdapters(adapters));
}
