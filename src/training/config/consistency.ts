import { boundaryDefaults } from "../../diffusion/consistency.ts";
import { UsageError } from "../../errors.ts";
import type { ConsistencyDistance } from "../consistency-loss.ts";
import { type CommonConfig, commonDefaults, commonShape, type RequiredCommon } from "./common.ts";
import { between, flag, oneOf, positive, type Shape, text, whole } from "./fields.ts";
import { type AdapterConfig, adapterDefaults, adapterShape } from "./lora.ts";

/** Keys that distillation and fine-tuning of consistency models share. */
export interface ConsistencyTrainingConfig extends CommonConfig, AdapterConfig {
  /** Folder of the base model: the teacher, and what the student begins as. */
  readonly base: string;
  /** An adapter over the frozen base, or all weights of a model with its own averaged target. */
  readonly method: "lora" | "full";
  /** Distance between student and target. */
  readonly loss: "l2" | "huber";
  /** c of the pseudo-Huber distance. */
  readonly huberC: number;
  /** Points of the solver's grid; the skipping step k is the schedule's steps (1000) over these (50): 20. */
  readonly ddimSteps: number;
  /** What a timestep is multiplied by in the boundary scalings. */
  readonly timestepScaling: number;
  /** The paper's omega is drawn from omegaMin to omegaMax for each picture; a guidance scale is 1 + omega. */
  readonly omegaMin: number;
  readonly omegaMax: number;
  /** Whether an adapter's target is its averaged copy; not so in the published scripts. A full model's always is. */
  readonly averagedTarget: boolean;
}

/** What a config says where it says nothing: the published settings of LCM-LoRA. */
export const consistencyTrainingDefaults: Omit<ConsistencyTrainingConfig, RequiredCommon | "base"> = {
  ...commonDefaults,
  ...adapterDefaults,
  rate: 1e-4,
  warmup: 500,
  method: "lora",
  loss: "huber",
  huberC: 0.001,
  ddimSteps: 50,
  timestepScaling: boundaryDefaults.timestepScaling,
  omegaMin: 5,
  omegaMax: 15,
  averagedTarget: false,
};

/** How the shared keys are checked. */
export const consistencyTrainingShape: Shape<ConsistencyTrainingConfig> = {
  ...commonShape,
  ...adapterShape,
  base: text("the folder of the base model"),
  method: oneOf(["lora", "full"]),
  loss: oneOf(["l2", "huber"]),
  huberC: positive(),
  ddimSteps: whole(2, 1000),
  timestepScaling: positive(),
  omegaMin: between(0, 100),
  omegaMax: between(0, 100),
  averagedTarget: flag(),
};

/** The distance that a config describes. */
export function consistencyDistance({ loss, huberC }: ConsistencyTrainingConfig): ConsistencyDistance {
  return loss === "l2" ? { kind: "l2" } : { kind: "huber", c: huberC };
}

/**
 * Checks what concerns several keys of consistency training.
 * @throws UsageError naming them.
 */
export function checkConsistency(config: ConsistencyTrainingConfig, place: string): void {
  if (config.method === "full" && config.emaDecay === 0) {
    throw new UsageError(
      `${place}: "emaDecay" must be above 0 where "method" is "full", as the target is an averaged copy; the published scripts use 0.95`,
    );
  }
  if (config.averagedTarget && config.emaDecay === 0) {
    throw new UsageError(
      `${place}: "emaDecay" must be above 0 where "averagedTarget" is true, as it makes the average`,
    );
  }
  const { omegaMin, omegaMax } = config;
  if (omegaMin > omegaMax) {
    throw new UsageError(`${place}: "omegaMin" must be at most "omegaMax", but they are ${omegaMin} and ${omegaMax}`);
  }
}
