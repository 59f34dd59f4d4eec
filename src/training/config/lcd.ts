import type { RequiredCommon } from "./common.ts";
import {
  type ConsistencyTrainingConfig,
  consistencyTrainingDefaults,
  consistencyTrainingShape,
} from "./consistency.ts";
import { type Shape, whole } from "./fields.ts";

/** Config of `train lcd`: latent consistency distillation, Algorithm 1 of the paper. */
export interface LcdTrainingConfig extends ConsistencyTrainingConfig {
  /** Width of the embedding of omega that a full model gets. */
  readonly guidanceWidth: number;
}

/** What a config says where it says nothing: the published settings of LCM-LoRA. */
export const lcdTrainingDefaults: Omit<LcdTrainingConfig, RequiredCommon | "base"> = {
  ...consistencyTrainingDefaults,
  guidanceWidth: 256,
};

/** How each key is checked. */
export const lcdTrainingShape: Shape<LcdTrainingConfig> = {
  ...consistencyTrainingShape,
  guidanceWidth: whole(2, 65_536),
};
