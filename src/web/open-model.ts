import type { ModelAdapter } from "../adapters/load.ts";
import { UsageError } from "../errors.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { ModelPlace } from "../generate/model.ts";
import { loraForModel } from "../generate/read-lora.ts";
import { type DiffusersModel, readDiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import type { FolderReader } from "../models/checkpoint/folder-reader.ts";
import { type FetchOptions, fetchFolder } from "./fetch-folder.ts";

/** A model that was fetched, its weights in memory in the types that they are stored in. */
export interface FetchedModel {
  readonly folder: FolderReader;
  readonly files: DiffusersModel;
  /** What `modelFromFolder` takes beside `files`. */
  readonly place: ModelPlace;
}

/** What a model's folder holds for certain; fetched at once, rather than one after the other. */
const usual = [
  "model_index.json",
  "scheduler/scheduler_config.json",
  "text_encoder/config.json",
  "unet/config.json",
  "unet/diffusion_pytorch_model.safetensors",
  "vae/config.json",
  "vae/diffusion_pytorch_model.safetensors",
] as const;

/**
 * Fetches a model: a folder as diffusers writes it, behind any server of files.
 * @param url of the folder; in a page, relative ones are relative to it
 * @throws UsageError when a file cannot be fetched, CheckpointError or FormatError when it is no whole model
 * @example
 * ```ts
 * const { files, place, folder } = await openModel(new URL("/models/fourstep-64", location.href));
 * const lcm = await fetchLora(folder, "lora/lcm-lora.safetensors", files);
 * const model = await modelFromFolder(files, place, [{ ...lcm, lambda: 1 }]);
 * ```
 */
export async function openModel(url: URL | string, options: FetchOptions = {}): Promise<FetchedModel> {
  const folder = fetchFolder(addressOf(url), options);
  if (!(await folder.exists("model_index.json"))) {
    throw new UsageError(`${url}: there is no model_index.json; give the address of a model's folder.`);
  }
  await Promise.all(usual.map((file) => folder.exists(file)));
  return { folder, files: await readDiffusersModel(folder), place: { folder: undefined } };
}

/**
 * Fetches a LoRA for a model.
 * @param path within the folder, or a whole address
 * @throws UsageError when it cannot be fetched; AdapterError when it was made for another model or is damaged
 */
export async function fetchLora(folder: FolderReader, path: string, files: DiffusersModel): Promise<ModelAdapter> {
  return loraForModel(await openTensorFile(await folder.source(path)), files);
}

function addressOf(url: URL | string): URL {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  try {
    return new URL(url, location?.href);
  } catch {
    throw new UsageError(`"${url}" is no address of a model's folder.`);
  }
}
