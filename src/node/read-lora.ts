import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type AlphaRule, alphaFromPeftConfig } from "../adapters/alpha.ts";
import type { PartModules } from "../adapters/keys/match.ts";
import { loadModelAdapter, type ModelAdapter } from "../adapters/load.ts";
import { adaptableLayers } from "../adapters/targets.ts";
import { AdapterError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { familyOf } from "../generate/family.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import type { ModelFamily } from "../models/checkpoint/families/family.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { type ClipTextConfig, clipTextConfig } from "../models/clip.ts";
import { clipTextTable, unetTable } from "../models/module-table.ts";
import { type UNetConfig, unetConfig } from "../models/unet/config.ts";

/** The layers of a model that LoRAs may change, part by part. */
export function modelLayers(
  unet: UNetConfig,
  textEncoder: ClipTextConfig | undefined,
  textEncoder2: ClipTextConfig | undefined,
): PartModules {
  const layers = (config: ClipTextConfig) => adaptableLayers(clipTextTable(config));
  return {
    unet: adaptableLayers(unetTable(unet)),
    ...(textEncoder === undefined ? {} : { textEncoder: layers(textEncoder) }),
    ...(textEncoder2 === undefined ? {} : { textEncoder2: layers(textEncoder2) }),
  };
}

/** The same of a family of models. */
export function familyLayers({ unet, textEncoders }: ModelFamily): PartModules {
  const [first, second] = textEncoders.map(({ config }) => clipTextConfig(config));
  return modelLayers(unetConfig(unet), first, second);
}

/**
 * Reads a LoRA of any kind for all parts of a model.
 * @throws AdapterError naming the file and, where it can be told, its base, when it was made for another model, changes
 * nothing or is damaged; FormatError when it is no file of tensors
 */
export async function readLora(path: string, files: DiffusersModel): Promise<ModelAdapter> {
  const { unet, textEncoder, second } = files;
  await using source = await openFileSource(path);
  const file = await openTensorFile(source);
  const rule = await besideRule(path, file);
  let adapter: ModelAdapter;
  try {
    adapter = await loadModelAdapter(
      file,
      modelLayers(unet.config, textEncoder.config, second?.textEncoder.config),
      rule,
    );
  } catch (error) {
    if (error instanceof AdapterError) throw await namedBase(error, file, files);
    throw error;
  }
  const { name, matched, unmatched } = adapter;
  if (unmatched.length > matched) {
    const stray = `${unmatched.length} of its ${unmatched.length + matched} keys, such as ${JSON.stringify(unmatched[0]?.slice(0, 90))}`;
    const error = new AdapterError(`${name}: ${stray}, name no layer of ${files.name}; it was made for another model.`);
    throw await namedBase(error, file, files);
  }
  if (adapter.zero) {
    throw new AdapterError(`${name}: all of its changes are zero, so that it would do nothing; was it ever trained?`);
  }
  return adapter;
}

/** What PEFT's configuration says of alpha, where it lies beside a file of PEFT. */
export async function besideRule(path: string, { tensors }: TensorFile): Promise<{ readonly alphaRule?: AlphaRule }> {
  if (![...tensors.keys()].some((key) => key.includes(".lora_A."))) return {};
  const name = "adapter_config.json";
  const text = await readFile(join(dirname(path), name), "utf8").catch(() => undefined);
  return text === undefined ? {} : { alphaRule: alphaFromPeftConfig(text, name) };
}

/** The error with the base that the LoRA was made for, if it is a well-known one; else as it is. */
async function namedBase(error: AdapterError, file: TensorFile, files: DiffusersModel): Promise<AdapterError> {
  const own = familyOf(files.unet.config)?.name;
  const base = await baseOfLora(file, own);
  if (base === undefined) return error;
  const model = own === undefined ? files.name : `${files.name} (${own})`;
  return new AdapterError(
    `${basename(file.name)}: this LoRA was made for ${base}, so it cannot be used with ${model}; choose one trained on this model.`,
    { cause: error },
  );
}

/** Name of the family that has all modules of a LoRA. */
async function baseOfLora(file: TensorFile, except: string | undefined): Promise<string | undefined> {
  for (const family of modelFamilies) {
    if (family.name === except) continue;
    const adapter = await loadModelAdapter(file, familyLayers(family)).catch(() => undefined);
    if (adapter !== undefined && adapter.unmatched.length === 0) return family.name;
  }
  return undefined;
}
