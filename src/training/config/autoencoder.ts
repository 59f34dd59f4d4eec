import type { JsonObject } from "../../formats/json.ts";
import { type CommonConfig, commonDefaults, commonShape, type RequiredCommon } from "./common.ts";
import { anyObject, between, type Shape, text } from "./fields.ts";

/** Config of `train autoencoder`: an AutoencoderKL from pictures. */
export interface AutoencoderTrainingConfig extends CommonConfig {
  /** `vae/config.json` of diffusers. */
  readonly vae: JsonObject;
  /** Weight of the Kullback-Leibler term, per latent number. */
  readonly klWeight: number;
  /** Weight of the error of colour differences beside that of the colours. */
  readonly hueWeight: number;
  /** Folder of an autoencoder of this configuration whose weights training begins with, or "none". */
  readonly start: string;
}

/** What a config says where it says nothing. */
export const autoencoderTrainingDefaults: Omit<AutoencoderTrainingConfig, RequiredCommon | "vae"> = {
  ...commonDefaults,
  rate: 1e-3,
  warmup: 100,
  schedule: "lastThird",
  klWeight: 1e-4,
  hueWeight: 1,
  start: "none",
};

/** How each key is checked. */
export const autoencoderTrainingShape: Shape<AutoencoderTrainingConfig> = {
  ...commonShape,
  vae: anyObject("the config of an AutoencoderKL as diffusers writes it"),
  klWeight: between(0, Number.POSITIVE_INFINITY),
  hueWeight: between(0, Number.POSITIVE_INFINITY),
  start: text("the folder of an autoencoder to begin with, or none"),
};
