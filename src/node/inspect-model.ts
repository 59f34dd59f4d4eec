import { predictionFromConfig } from "../diffusion/scheduler-config.ts";
import { familyName } from "../generate/family.ts";
import type { AutoencoderPart, ModelParts } from "../models/checkpoint/diffusers-folder.ts";
import type { OriginalModel } from "../models/checkpoint/original/read-original.ts";
import type { ClipTextConfig } from "../models/clip.ts";
import { autoencoderTable, clipTextTable, tinyAutoencoderTable, unetTable } from "../models/module-table.ts";
import { describePart, type PartDescription } from "./inspect-part.ts";

/** What a model's folder or file holds. */
export interface ModelDescription {
  readonly kind: "model";
  readonly name: string;
  /** A published family, or `custom`. */
  readonly family: string;
  /** How its files are laid out: a folder of diffusers', or one file in the original names. */
  readonly layout: "diffusers" | "original";
  readonly pipeline: string;
  /** What the U-Net predicts. */
  readonly prediction: string;
  readonly parts: readonly PartDescription[];
  readonly parameters: number;
  /** Of one file: tensors that belong to no part. */
  readonly leftOver: readonly string[];
  /** Of one file: how many tensors are averages or numbers of the training, which nothing needs. */
  readonly unneeded: number;
}

/** Compares a model's files with what its configurations ask for; no weight is read. */
export function describeModel(model: ModelParts | OriginalModel): ModelDescription {
  const { unet, autoencoder, textEncoder, second } = model;
  const parts = [
    describePart("unet", "UNet2DConditionModel", unet.weights, unetTable(unet.config)),
    describeAutoencoder("vae", autoencoder),
    describeText("text_encoder", textEncoder),
    ...(second === undefined ? [] : [describeText("text_encoder_2", second.textEncoder)]),
  ];
  const original = "family" in model ? model : undefined;
  return {
    kind: "model",
    name: model.name,
    family: original?.family.name ?? familyName(unet.config),
    layout: original === undefined ? "diffusers" : "original",
    pipeline: model.pipeline,
    prediction: predictionFromConfig(model.scheduler),
    // In one file parts bear other names than here: what it lacks is said in its own.
    parts: parts.map((part) =>
      original === undefined ? part : { ...part, missing: original.missing.get(part.name) ?? [] },
    ),
    parameters: parts.reduce((sum, part) => sum + part.parameters, 0),
    leftOver: original?.leftOver ?? [],
    unneeded: original?.unneeded ?? 0,
  };
}

/** An autoencoder of either kind. */
export function describeAutoencoder(name: string, part: AutoencoderPart): PartDescription {
  return part.kind === "kl"
    ? describePart(name, "AutoencoderKL", part.weights, autoencoderTable(part.config))
    : describePart(name, "AutoencoderTiny", part.weights, tinyAutoencoderTable(part.config));
}

/** A text encoder, with or without a projection. */
export function describeText(
  name: string,
  { config, weights }: { readonly config: ClipTextConfig; readonly weights: ModelParts["textEncoder"]["weights"] },
): PartDescription {
  const className = config.projectionWidth === undefined ? "CLIPTextModel" : "CLIPTextModelWithProjection";
  return describePart(name, className, weights, clipTextTable(config));
}
