import { lcmLoraTargets } from "../../adapters/targets.ts";
import { type DenoisingConfig, denoisingShape } from "./base.ts";
import { type CommonConfig, commonDefaults, commonShape, type RequiredCommon } from "./common.ts";
import { positive, type Shape, text, texts, whole } from "./fields.ts";

/** Keys of every training of an adapter. */
export interface AdapterConfig {
  readonly rank: number;
  /** The adapter counts alpha / rank times. */
  readonly alpha: number;
  /** Ends of the paths of the layers that are adapted. */
  readonly targets: readonly string[];
}

/** Config of `train lora`: a style vector over a base. */
export interface LoraTrainingConfig extends CommonConfig, DenoisingConfig, AdapterConfig {
  /** Folder of the base model. */
  readonly base: string;
}

/** Adapters as the published scripts make them: all fourteen kinds of layer, counted once. */
export const adapterDefaults: AdapterConfig = { rank: 64, alpha: 64, targets: lcmLoraTargets };

/** How an adapter's keys are checked. */
export const adapterShape: Shape<AdapterConfig> = {
  rank: whole(1, 4096),
  alpha: positive(),
  targets: texts(`a list of ends of layers' paths, such as "${lcmLoraTargets[0]}"`),
};

/** What a config says where it says nothing; alpha is the rank where only the rank is given. */
export const loraTrainingDefaults: Omit<LoraTrainingConfig, RequiredCommon | "base"> = {
  ...commonDefaults,
  ...adapterDefaults,
  rank: 16,
  alpha: 16,
  rate: 1e-4,
  warmup: 100,
  captionDropout: 0.1,
  minSnrGamma: 5,
  snrFloor: 0,
  sample: { ...commonDefaults.sample, steps: 32, guidanceScale: 4 },
};

/** How each key is checked. */
export const loraTrainingShape: Shape<LoraTrainingConfig> = {
  ...commonShape,
  ...denoisingShape,
  ...adapterShape,
  base: text("the folder of the base model"),
};
