import type { ClipTextConfig } from "../models/clip.ts";
import { layers } from "../models/layers.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import { denoiseLoss } from "./denoise.ts";
import type { Objective } from "./objective.ts";
import { TrainableParameters } from "./parameters.ts";
import { clipEncoding } from "./text.ts";

export interface BaseObjectiveOptions {
  readonly unet: UNetConfig;
  readonly text: ClipTextConfig;
  readonly batch: number;
  /** Height and width of the latents. */
  readonly size: number;
}

/** The U-Net and the text encoder, trained together. Parameters are named `unet.…` and `text_encoder.…`. */
export function baseObjective({ unet, text, batch, size }: BaseObjectiveOptions): Objective {
  const trainable = new TrainableParameters();
  const encoding = clipEncoding(layers(trainable.source("text_encoder.")), text);
  const loss = denoiseLoss(layers(trainable.source("unet.")), unet, encoding, { batch, size, tokens: text.positions });
  return { loss, metrics: {}, parameters: trainable.list() };
}
