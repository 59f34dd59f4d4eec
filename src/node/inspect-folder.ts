import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CheckpointError } from "../errors.ts";
import { field, parseJsonObject } from "../formats/json.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { unwrapStateDict } from "../formats/tensor-file.ts";
import { familyName, familyOf } from "../generate/family.ts";
import { modelLayers } from "../generate/read-lora.ts";
import {
  readAutoencoder,
  readDiffusersModel,
  readTextEncoder,
  readUNet,
} from "../models/checkpoint/diffusers-folder.ts";
import { readOriginalModel } from "../models/checkpoint/original/read-original.ts";
import { unetTable } from "../models/module-table.ts";
import type { BarePartDescription } from "./inspect-file.ts";
import type { LoraBase } from "./inspect-lora.ts";
import { describeAutoencoder, describeModel, describeText, type ModelDescription } from "./inspect-model.ts";
import { describePart, type PartDescription } from "./inspect-part.ts";
import { type ModelFolder, openModelFolder } from "./model-folder.ts";

/**
 * Says what a folder holds: a model as diffusers writes it, or one part of a model with its `config.json`.
 * @throws CheckpointError when it is neither, FormatError when a file is damaged
 */
export async function describeFolder(path: string): Promise<ModelDescription | BarePartDescription> {
  await using folder = await openModelFolder(path);
  const part = !(await folder.exists("model_index.json")) && (await folder.exists("config.json"));
  return part ? await describePartFolder(folder) : describeModel(await readDiffusersModel(folder));
}

async function describePartFolder(folder: ModelFolder): Promise<BarePartDescription> {
  const place = `${folder.name}/config.json`;
  const json = parseJsonObject(await folder.readText("config.json"), place);
  const className = field(json, "_class_name") ?? field(json, "model_type");
  switch (className) {
    case "UNet2DConditionModel": {
      const { config, weights } = await readUNet(folder, ".");
      return bare(folder, describePart("unet", className, weights, unetTable(config)), familyName(config));
    }
    case "AutoencoderKL":
    case "AutoencoderTiny":
      return bare(folder, describeAutoencoder("vae", await readAutoencoder(folder, ".")), "Stable Diffusion");
    case "clip_text_model":
      return bare(folder, describeText("text_encoder", await readTextEncoder(folder, ".")), "CLIP");
    default:
      throw new CheckpointError(
        `${place}: a U-Net, an autoencoder or a text encoder of Stable Diffusion was expected, but this is ${JSON.stringify(className ?? null)}.`,
      );
  }
}

function bare(folder: ModelFolder, description: PartDescription, family: string): BarePartDescription {
  return {
    ...description,
    kind: "part",
    name: folder.name,
    part: description.name,
    family,
    layout: "diffusers",
  };
}

/**
 * The layers of a model that LoRAs change, for comparing LoRAs with; neither tokenizer nor weights are needed.
 * @throws UsageError when there is no such model, CheckpointError or FormatError when it is none
 */
export async function readBase(path: string): Promise<LoraBase> {
  const single = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  await using folder = await openModelFolder(single ? dirname(path) : path);
  const model = single
    ? await readOriginalModel(unwrapStateDict(await openTensorFile(await folder.source(basename(path)))))
    : await readDiffusersModel(folder);
  const { name, unet, textEncoder, second } = model;
  return {
    name: familyOf(unet.config)?.name ?? name,
    layers: modelLayers(unet.config, textEncoder.config, second?.textEncoder.config),
  };
}
