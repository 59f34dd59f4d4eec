import type { JsonObject } from "../../formats/json.ts";
import { type CommonConfig, commonDefaults, commonShape, type RequiredCommon } from "./common.ts";
import { anyObject, between, type Shape, text, texts, whole } from "./fields.ts";

/** Keys of every training against noise. */
export interface DenoisingConfig {
  /** Probability that a caption is left out, which is what guidance later compares with. */
  readonly captionDropout: number;
  /** Clamp of the signal-to-noise weight (Hang et al. 2023); 0 weighs all noise levels alike. */
  readonly minSnrGamma: number;
  /** Least weight of the picture's error at high noise; 0 is min-SNR as published. */
  readonly snrFloor: number;
}

/** Config of `train base`: a U-Net with its text encoder and vocabulary, over a trained autoencoder. */
export interface BaseTrainingConfig extends CommonConfig, DenoisingConfig {
  /** Folder of the autoencoder, or of a model whose autoencoder is used. */
  readonly autoencoder: string;
  /** `unet/config.json` of diffusers. */
  readonly unet: JsonObject;
  /** `text_encoder/config.json` of transformers. */
  readonly textEncoder: JsonObject;
  /** `scheduler/scheduler_config.json` of diffusers: noise levels and what the network predicts. */
  readonly scheduler: JsonObject;
  /** Entries of the vocabulary that is made from the captions. */
  readonly vocabularySize: number;
  /** Picture sets, beside `data`, whose captions the vocabulary is made from: words of styles that are trained later. */
  readonly vocabularyData: readonly string[];
  /** Folder of a model whose networks and vocabulary training goes on with, or "none". */
  readonly start: string;
}

/** What a config says where it says nothing: Stable Diffusion's noise levels, rates for a network of some millions. */
export const baseTrainingDefaults: Omit<BaseTrainingConfig, RequiredCommon | "autoencoder" | "unet" | "textEncoder"> = {
  ...commonDefaults,
  rate: 1e-3,
  warmup: 100,
  schedule: "lastThird",
  optimizer: { ...commonDefaults.optimizer, beta2: 0.99 },
  emaDecay: 0.999,
  captionDropout: 0.1,
  minSnrGamma: 5,
  snrFloor: 0,
  scheduler: { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, prediction_type: "epsilon" },
  vocabularySize: 2048,
  vocabularyData: [],
  start: "none",
  sample: { ...commonDefaults.sample, steps: 32, guidanceScale: 4 },
};

/** How the keys of training against noise are checked. */
export const denoisingShape: Shape<DenoisingConfig> = {
  captionDropout: between(0, 1),
  minSnrGamma: between(0, Number.POSITIVE_INFINITY),
  snrFloor: between(0, 5),
};

/** How each key is checked. */
export const baseTrainingShape: Shape<BaseTrainingConfig> = {
  ...commonShape,
  ...denoisingShape,
  autoencoder: text("the folder of a trained autoencoder"),
  unet: anyObject("the config of a UNet2DConditionModel as diffusers writes it"),
  textEncoder: anyObject("the config of a CLIPTextModel as transformers writes it"),
  scheduler: anyObject("the config of a scheduler as diffusers writes it"),
  vocabularySize: whole(515, 1_000_000),
  vocabularyData: texts("a list of picture sets"),
  start: text("the folder of a model to go on with, or none"),
};
