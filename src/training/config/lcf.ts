import type { RequiredCommon } from "./common.ts";
import {
  type ConsistencyTrainingConfig,
  consistencyTrainingDefaults,
  consistencyTrainingShape,
} from "./consistency.ts";
import { type Shape, text } from "./fields.ts";

/** Config of `train lcf`: latent consistency fine-tuning, without a teacher. */
export interface LcfTrainingConfig extends ConsistencyTrainingConfig {
  /** File of the acceleration vector that the student begins with, or "none". */
  readonly start: string;
}

/** What a config says where it says nothing. */
export const lcfTrainingDefaults: Omit<LcfTrainingConfig, RequiredCommon | "base"> = {
  ...consistencyTrainingDefaults,
  start: "none",
};

/** How each key is checked. */
export const lcfTrainingShape: Shape<LcfTrainingConfig> = {
  ...consistencyTrainingShape,
  start: text("the file of an adapter to begin with, or none"),
};
