import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type AlphaRule, alphaFromPeftConfig } from "../adapters/alpha.ts";
import type { ModelAdapter } from "../adapters/load.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { loraForModel } from "../generate/read-lora.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";

/**
 * Reads a LoRA's file of any kind for all parts of a model.
 * @throws AdapterError naming the file and, where it can be told, its base, when it was made for another model, changes
 * nothing or is damaged; FormatError when it is no file of tensors
 */
export async function readLora(path: string, files: DiffusersModel): Promise<ModelAdapter> {
  await using source = await openFileSource(path);
  const file = await openTensorFile(source);
  return await loraForModel(file, files, await besideRule(path, file));
}

/** What PEFT's configuration says of alpha, where it lies beside a file of PEFT. */
export async function besideRule(path: string, { tensors }: TensorFile): Promise<{ readonly alphaRule?: AlphaRule }> {
  const peft = [...tensors.keys()].some((key) => key.includes(".lora_A.") || key.startsWith("base_model.model."));
  if (!peft) return {};
  const name = "adapter_config.json";
  const text = await readFile(join(dirname(path), name), "utf8").catch(() => undefined);
  return text === undefined ? {} : { alphaRule: alphaFromPeftConfig(text, name) };
}
