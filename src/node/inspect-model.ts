import { storedTypeName } from "../formats/safetensors-header.ts";
import { familyOf } from "../generate/family.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { isComputed } from "../models/checkpoint/names.ts";
import type { StoredWeights } from "../models/checkpoint/stored-weights.ts";
import {
  autoencoderTable,
  clipTextTable,
  type ModelTable,
  tinyAutoencoderTable,
  unetTable,
} from "../models/module-table.ts";
import { elementCount } from "../tensor/tensor.ts";

/** What one network of a model is. */
export interface PartDescription {
  readonly name: string;
  readonly class: string;
  readonly files: readonly string[];
  /** Element types of the weights, the commonest first, as safetensors calls them. */
  readonly types: readonly string[];
  readonly parameters: number;
  /** Tensors that the configuration asks for and the files lack. */
  readonly missing: readonly string[];
  /** Tensors that the configuration does not ask for. */
  readonly leftOver: readonly string[];
}

/** What a model's folder holds. */
export interface ModelDescription {
  readonly kind: "model";
  readonly name: string;
  /** A published family, or `custom`. */
  readonly family: string;
  readonly pipeline: string;
  readonly parts: readonly PartDescription[];
  readonly parameters: number;
}

/** Compares a model's files with what its configurations ask for; no weight is read. */
export function describeModel(files: DiffusersModel): ModelDescription {
  const { unet, autoencoder, textEncoder } = files;
  const parts = [
    describePart("unet", "UNet2DConditionModel", unet.weights, unetTable(unet.config)),
    autoencoder.kind === "kl"
      ? describePart("vae", "AutoencoderKL", autoencoder.weights, autoencoderTable(autoencoder.config))
      : describePart("vae", "AutoencoderTiny", autoencoder.weights, tinyAutoencoderTable(autoencoder.config)),
    describePart("text_encoder", "CLIPTextModel", textEncoder.weights, clipTextTable(textEncoder.config)),
  ];
  return {
    kind: "model",
    name: files.name,
    family: familyOf(unet.config)?.name ?? "custom",
    pipeline: files.pipeline,
    parts,
    parameters: parts.reduce((sum, part) => sum + part.parameters, 0),
  };
}

function describePart(name: string, className: string, weights: StoredWeights, table: ModelTable): PartDescription {
  const asked = new Set(table.parameters.map((parameter) => parameter.name));
  const types = new Map<string, number>();
  let parameters = 0;
  for (const [tensor, { entry }] of weights.tensors) {
    if (isComputed(tensor)) continue;
    const size = elementCount(entry.shape);
    parameters += size;
    const type = storedTypeName(entry.type);
    types.set(type, (types.get(type) ?? 0) + size);
  }
  return {
    name,
    class: className,
    files: weights.files,
    types: [...types].sort(([, a], [, b]) => b - a).map(([type]) => type),
    parameters,
    missing: [...asked].filter((parameter) => !weights.tensors.has(parameter)),
    leftOver: [...weights.tensors.keys()].filter((tensor) => !asked.has(tensor) && !isComputed(tensor)),
  };
}
