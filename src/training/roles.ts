import { type LoraRuleOptions, loraRule } from "../adapters/lora-rule.ts";
import { input } from "../graph/value.ts";
import { layers, type ParameterSource } from "../models/layers.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import { denoiser } from "./consistency-loss.ts";
import type { DistillationRoles } from "./lcd.ts";
import { emaPrefix } from "./objective.ts";
import { averagedSource, type TrainableParameters } from "./parameters.ts";

/** What names of a LoRA's trainable parameters begin with. */
export const loraPrefix = "lora.";
/** What names of a whole U-Net's trainable parameters begin with. */
export const unetPrefix = "unet.";

export interface LoraRolesOptions extends Omit<LoraRuleOptions, "form"> {
  /** Whether the target is the averaged copy of the adapter, or the adapter as it stands (as published). */
  readonly averagedTarget: boolean;
}

/**
 * LCM-LoRA: one frozen U-Net is teacher, student and target; the adapter is off for the first, on for the others. Its
 * product with the batch is left to the weights (`form: "weight"`), as batches here are large beside the layers.
 */
export function loraRoles(
  frozen: ParameterSource,
  config: UNetConfig,
  trainable: TrainableParameters,
  options: LoraRolesOptions,
): DistillationRoles {
  const rule = { rank: options.rank, alpha: options.alpha, targets: options.targets, form: "weight" } as const;
  const student = denoiser(layers(frozen, loraRule(trainable.source(loraPrefix), rule)), config, undefined);
  const averaged = (): ReturnType<typeof denoiser> =>
    denoiser(layers(frozen, loraRule(averagedSource(emaPrefix, loraPrefix), rule)), config, undefined);
  return {
    student,
    target: options.averagedTarget ? averaged() : student,
    teacher: denoiser(layers(frozen), config, undefined),
  };
}

/**
 * A full latent consistency model: all weights train, the guidance is an input of the network (`cond_proj`), and the target
 * is the averaged copy.
 * @param config of the student; where it has a `guidanceWidth`, the teacher is the same network without it
 */
export function fullRoles(
  frozen: ParameterSource,
  config: UNetConfig,
  trainable: TrainableParameters,
  batch: number,
): DistillationRoles {
  const { guidanceWidth } = config;
  const guidance = guidanceWidth === undefined ? undefined : input("guidance", [batch, guidanceWidth]);
  return {
    student: denoiser(layers(trainable.source(unetPrefix)), config, guidance),
    target: denoiser(layers(averagedSource(emaPrefix, unetPrefix)), config, guidance),
    teacher: denoiser(layers(frozen), { ...config, guidanceWidth: undefined }, undefined),
  };
}
