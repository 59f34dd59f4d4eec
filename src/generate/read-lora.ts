import type { AlphaRule } from "../adapters/alpha.ts";
import type { PartModules } from "../adapters/keys/match.ts";
import { loadModelAdapter, type ModelAdapter } from "../adapters/load.ts";
import { adaptableLayers } from "../adapters/targets.ts";
import { AdapterError } from "../errors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import type { ModelFamily } from "../models/checkpoint/families/family.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { type ClipTextConfig, clipTextConfig } from "../models/clip.ts";
import { clipTextTable, unetTable } from "../models/module-table.ts";
import { type UNetConfig, unetConfig } from "../models/unet/config.ts";
import { familyOf } from "./family.ts";

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
 * @param rule of alphas that the file does not say, such as PEFT's configuration beside it
 * @throws AdapterError naming the file and, where it can be told, its base, when it was made for another model, changes
 * nothing or is damaged
 */
export async function loraForModel(
  file: TensorFile,
  files: DiffusersModel,
  rule: { readonly alphaRule?: AlphaRule } = {},
): Promise<ModelAdapter> {
  const { unet, textEncoder, second } = files;
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

/** The error with the base that the LoRA was made for, if it is a well-known one; else as it is. */
async function namedBase(error: AdapterError, file: TensorFile, files: DiffusersModel): Promise<AdapterError> {
  const own = familyOf(files.unet.config)?.name;
  const base = await baseOfLora(file, own);
  if (base === undefined) return error;
  const model = own === undefined ? files.name : `${files.name} (${own})`;
  return new AdapterError(
    `${file.name.slice(file.name.lastIndexOf("/") + 1)}: this LoRA was made for ${base}, so it cannot be used with ${model}; choose one trained on this model.`,
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
