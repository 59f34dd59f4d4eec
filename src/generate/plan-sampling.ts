import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { type NamedSampler, samplerOfConfig } from "../samplers/names.ts";
import type { SamplerChoices } from "../samplers/request.ts";
import type { Sampler } from "../samplers/sampler.ts";
import type { Acceleration } from "./acceleration.ts";
import { type DrawingPlan, planDrawing } from "./plan.ts";
import { samplerForStrength } from "./strength.ts";
import type { StrengthRule } from "./strength-rule.ts";

/** What may be wished of sampling; what is left out is chosen to suit the model. */
export interface SamplingWishes {
  readonly sampler?: NamedSampler;
  readonly steps?: number;
  readonly guidance?: number;
}

/** How a picture begins: from this share of the noise, in (0, 1], and what becomes of the steps; 1 and all unless told. */
export interface SamplingStart {
  readonly strength: number;
  readonly rule: StrengthRule;
}

/** Sampling with all choices made. */
export interface PlannedSampling {
  readonly plan: DrawingPlan;
  readonly choices: SamplerChoices;
  readonly sampler: Sampler;
}

/**
 * Chooses a sampler, its steps and the guidance for a model.
 * @param config of the model's scheduler
 * @throws UsageError when the wishes do not go together
 */
export function planSampling(
  config: SchedulerConfig,
  acceleration: Acceleration,
  { sampler: named, steps, guidance }: SamplingWishes = {},
  { strength, rule }: SamplingStart = { strength: 1, rule: "keep" },
): PlannedSampling {
  // A model without acceleration is best drawn as its scheduler says.
  const sampler = named?.name ?? (acceleration === "none" ? samplerOfConfig(config) : undefined);
  const plan = planDrawing(
    {
      ...(sampler === undefined ? {} : { sampler }),
      ...(steps === undefined ? {} : { steps }),
      ...(guidance === undefined ? {} : { guidanceScale: guidance }),
    },
    acceleration,
  );
  const choices = choicesOf(plan, named, acceleration);
  const request = { config, steps: plan.steps, strength, choices };
  return { plan, choices, sampler: samplerForStrength(plan.sampler, request, rule) };
}

/** What was chosen with the sampler's name, or else how the authors of a LoRA set that sampler. */
function choicesOf(
  { sampler }: DrawingPlan,
  named: NamedSampler | undefined,
  acceleration: Acceleration,
): SamplerChoices {
  const authors = typeof acceleration === "object" && acceleration.sampler === sampler ? acceleration.choices : {};
  return { ...authors, ...named?.choices };
}
