import { UsageError } from "../../errors.ts";
import type { RequiredCommon } from "./common.ts";
import {
  type ConsistencyTrainingConfig,
  checkConsistency,
  consistencyTrainingDefaults,
  consistencyTrainingShape,
} from "./consistency.ts";
import { between, type Shape, whole } from "./fields.ts";

/** Config of `train lcd`: latent consistency distillation, Algorithm 1 of the paper. */
export interface LcdTrainingConfig extends ConsistencyTrainingConfig {
  /** The paper's omega is drawn from omegaMin to omegaMax for each picture; a guidance scale is 1 + omega. */
  readonly omegaMin: number;
  readonly omegaMax: number;
  /** Width of the embedding of omega that a full model gets. */
  readonly guidanceWidth: number;
}

/** What a config says where it says nothing: the published settings of LCM-LoRA. */
export const lcdTrainingDefaults: Omit<LcdTrainingConfig, RequiredCommon | "base"> = {
  ...consistencyTrainingDefaults,
  omegaMin: 5,
  omegaMax: 15,
  guidanceWidth: 256,
};

/** How each key is checked. */
export const lcdTrainingShape: Shape<LcdTrainingConfig> = {
  ...consistencyTrainingShape,
  omegaMin: between(0, 100),
  omegaMax: between(0, 100),
  guidanceWidth: whole(2, 65_536),
};

/**
 * Checks what concerns several keys.
 * @throws UsageError naming them.
 */
export function checkLcd(config: LcdTrainingConfig, place: string): void {
  checkConsistency(config, place);
  const { omegaMin, omegaMax } = config;
  if (omegaMin > omegaMax) {
    throw new UsageError(`${place}: "omegaMin" must be at most "omegaMax", but they are ${omegaMin} and ${omegaMax}`);
  }
}
