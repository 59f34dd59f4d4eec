import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { ByteSource } from "../../formats/byte-source.ts";
import { openTensorFile } from "../../formats/open-tensor-file.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import { type TensorFile, unwrapStateDict } from "../../formats/tensor-file.ts";
import { type ModelParts, readDiffusersModel } from "../../models/checkpoint/diffusers-folder.ts";
import { isComputed } from "../../models/checkpoint/names.ts";
import {
  isOriginalModel,
  type OriginalOptions,
  readOriginalModel,
} from "../../models/checkpoint/original/read-original.ts";
import type { StoredTensor } from "../../models/checkpoint/stored-weights.ts";
import { clipTextTable, type ModuleEntry, unetTable } from "../../models/module-table.ts";
import { type ModelFolder, openModelFolder } from "../model-folder.ts";

/** The networks of a model, as diffusers calls them. */
export const partNames = ["unet", "vae", "text_encoder", "text_encoder_2"] as const;
export type PartName = (typeof partNames)[number];

/** A model of any layout, opened for arithmetic; nothing but headers has been read. */
export interface Checkpoint extends AsyncDisposable {
  readonly name: string;
  readonly path: string;
  readonly layout: "folder" | "file";
  readonly folder: ModelFolder;
  readonly model: ModelParts;
  /** Its parameters by part and by the names that models ask for: names of `PartName`, a slash, the parameter. */
  readonly parameters: ReadonlyMap<string, StoredTensor>;
  /** The files that hold its weights. */
  readonly files: readonly WeightFile[];
  /** The layers that LoRAs change. */
  modules(part: PartName): readonly ModuleEntry[];
}

/** A file of weights, with the parameters that each of its tensors stands for. */
export interface WeightFile {
  /** Relative to the model's folder; of a single file its name. */
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: readonly FileTensor[];
}

/** One tensor of a file. */
export interface FileTensor {
  /** As the file names it. */
  readonly name: string;
  readonly source: ByteSource;
  readonly entry: TensorEntry;
  /** Parameters that lie in it, by their names in `Checkpoint.parameters`; none where the model does not need it. */
  readonly parameters: readonly (readonly [name: string, entry: TensorEntry])[];
}

/** Whether a path is a model: a folder, or a file in the original names. */
export async function isCheckpoint(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return false;
  if (info.isDirectory()) return true;
  await using folder = await openModelFolder(dirname(path));
  const file = unwrapStateDict(await openTensorFile(await folder.source(basename(path))));
  return isOriginalModel(file.tensors.keys());
}

/**
 * Opens a model: a folder as diffusers writes it, or one file in the original names.
 * @param options how one file is read
 * @throws UsageError when there is none, CheckpointError or FormatError when it is no model
 */
export async function openCheckpoint(path: string, options: Partial<OriginalOptions> = {}): Promise<Checkpoint> {
  const single = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  const folder = await openModelFolder(single ? dirname(path) : path);
  try {
    const file = single ? unwrapStateDict(await openTensorFile(await folder.source(basename(path)))) : undefined;
    const model = file === undefined ? await readDiffusersModel(folder) : await readOriginalModel(file, options);
    const parameters = parametersOf(model);
    return {
      name: model.name,
      path,
      layout: single ? "file" : "folder",
      folder,
      model,
      parameters,
      files: file === undefined ? folderFiles(model, parameters) : [singleFile(file, parameters)],
      modules: (part) => modulesOf(model, part),
      [Symbol.asyncDispose]: () => folder.close(),
    };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

function partsOf({ unet, autoencoder, textEncoder, second }: ModelParts): Map<PartName, ModelParts["unet"]["weights"]> {
  const parts = new Map<PartName, ModelParts["unet"]["weights"]>([
    ["unet", unet.weights],
    ["vae", autoencoder.weights],
    ["text_encoder", textEncoder.weights],
  ]);
  if (second !== undefined) parts.set("text_encoder_2", second.textEncoder.weights);
  return parts;
}

function parametersOf(model: ModelParts): Map<string, StoredTensor> {
  const parameters = new Map<string, StoredTensor>();
  for (const [part, { tensors }] of partsOf(model)) {
    for (const [name, stored] of tensors) if (!isComputed(name)) parameters.set(`${part}/${name}`, stored);
  }
  return parameters;
}

function modulesOf({ unet, textEncoder, second }: ModelParts, part: PartName): readonly ModuleEntry[] {
  if (part === "unet") return unetTable(unet.config).modules;
  if (part === "text_encoder") return clipTextTable(textEncoder.config).modules;
  if (part === "text_encoder_2" && second !== undefined) return clipTextTable(second.textEncoder.config).modules;
  return [];
}

/** The files of a folder; each of their tensors is one parameter, or one that models compute. */
function folderFiles(model: ModelParts, parameters: ReadonlyMap<string, StoredTensor>): WeightFile[] {
  const files = new Map<string, FileTensor[]>();
  for (const [part, { tensors }] of partsOf(model)) {
    for (const [name, { file, source, entry }] of tensors) {
      const key = `${part}/${name}`;
      const one: FileTensor = {
        name: entry.name,
        source,
        entry,
        parameters: parameters.has(key) ? [[key, entry]] : [],
      };
      const known = files.get(file);
      if (known === undefined) files.set(file, [one]);
      else known.push(one);
    }
  }
  return Array.from(files, ([path, tensors]) => ({ path, metadata: new Map(), tensors }));
}

function singleFile(file: TensorFile, parameters: ReadonlyMap<string, StoredTensor>): WeightFile {
  const byEntry = new Map<string, (readonly [string, TensorEntry])[]>();
  for (const [name, { entry }] of parameters) {
    const known = byEntry.get(entry.name);
    if (known === undefined) byEntry.set(entry.name, [[name, entry]]);
    else known.push([name, entry]);
  }
  return {
    path: file.name,
    metadata: file.metadata,
    tensors: Array.from(file.tensors, ([name, { source, entry }]) => ({
      name,
      source,
      entry,
      parameters: byEntry.get(entry.name) ?? [],
    })),
  };
}
