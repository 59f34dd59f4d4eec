import { karrasLevels, timestepOfNoiseLevel } from "../diffusion/karras.ts";
import { cleanCoefficients, type PredictionType } from "../diffusion/prediction.ts";
import { type NoiseSchedule, noiseLevelAt } from "../diffusion/schedule.ts";
import {
  configChoice,
  configFlag,
  configNumber,
  predictionFromConfig,
  type SchedulerConfig,
  scheduleFromConfig,
} from "../diffusion/scheduler-config.ts";
import { keepByStrength, spacedTimesteps, type TimestepSpacing } from "../diffusion/timesteps.ts";
import { UsageError } from "../errors.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

export interface EulerOptions {
  readonly steps: number;
  /** Image-to-image: the share of the steps to keep, in (0, 1]; at least one is kept. */
  readonly strength: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** Noise levels at the spaced timesteps, or spread between the highest and the lowest of these as Karras et al. do. */
  readonly levels: "schedule" | "karras";
  /** Where the last step ends: at no noise, or at the level of timestep 0. */
  readonly finalLevel: "zero" | "lowest";
}

export const eulerDefaults: EulerOptions = {
  steps: 25,
  strength: 1,
  spacing: "leading",
  stepsOffset: 1,
  levels: "schedule",
  finalLevel: "zero",
};

/**
 * Euler's method on the probability flow ODE in Karras et al.'s (2022) variables, x = z / alpha at noise level s:
 * x moves along (x - z_0) / s to the next level; the network sees x / sqrt(s^2 + 1).
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function euler(schedule: NoiseSchedule, prediction: PredictionType, options: EulerOptions): Sampler {
  const { timesteps, levels } = timetable(schedule, options);
  const highest = levels[0]!;
  return {
    name: "euler",
    timesteps,
    // "leading" stops short of pure noise: there the starting noise stands for noise and picture together.
    initNoiseSigma: options.spacing === "leading" ? Math.sqrt(highest ** 2 + 1) : highest,
    levelAt: (index) => ({ clean: 1, noise: levels[index]! }),
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const level = levels[index]!;
        const alpha = 1 / Math.sqrt(level ** 2 + 1);
        const output = await input.predict(linearCombination([[alpha, latents]]), timestep);
        const coefficients = cleanCoefficients(prediction, alpha, level * alpha);
        const denoised = linearCombination([
          [coefficients.sample * alpha, latents],
          [coefficients.output, output],
        ]);
        const kept = levels[index + 1]! / level;
        latents = linearCombination([
          [kept, latents],
          [1 - kept, denoised],
        ]);
        latents = input.amend?.(latents, index + 1) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/** Timesteps and their noise levels, followed by the final level. */
function timetable(
  schedule: NoiseSchedule,
  { steps, strength, spacing, stepsOffset, levels: kind, finalLevel }: EulerOptions,
): { readonly timesteps: readonly number[]; readonly levels: readonly number[] } {
  const spaced = spacedTimesteps(spacing, schedule.trainSteps, steps, stepsOffset);
  const spacedLevels = spaced.map((timestep) => noiseLevelAt(schedule, timestep));
  const final = finalLevel === "zero" ? 0 : noiseLevelAt(schedule, 0);
  if (kind === "schedule") {
    return { timesteps: keepByStrength(spaced, strength), levels: [...keepByStrength(spacedLevels, strength), final] };
  }
  const levels = keepByStrength(karrasLevels(spacedLevels[0]!, spacedLevels[steps - 1]!, steps), strength);
  return { timesteps: levels.map((level) => timestepOfNoiseLevel(schedule, level)), levels: [...levels, final] };
}

/**
 * The sampler that diffusers' EulerDiscreteScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `euler`, or for a wrong field
 */
export function eulerFromConfig(
  { config, steps, strength }: SamplerRequest,
  changes: Partial<EulerOptions> = {},
): Sampler {
  const schedule = scheduleFromConfig(config, { schedule: "linear", start: 0.0001, end: 0.02 });
  return euler(schedule, predictionFromConfig(config), {
    steps,
    strength,
    spacing: configChoice(config, "timestep_spacing", ["leading", "trailing", "linspace"], "linspace"),
    stepsOffset: configNumber(config, "steps_offset", 0),
    levels: levelsFromConfig(config),
    finalLevel: configChoice(config, "final_sigmas_type", ["zero", "sigma_min"], "zero") === "zero" ? "zero" : "lowest",
    ...changes,
  });
}

function levelsFromConfig(config: SchedulerConfig): EulerOptions["levels"] {
  for (const key of ["use_exponential_sigmas", "use_beta_sigmas"]) {
    if (configFlag(config, key, false)) {
      throw new UsageError(
        `The scheduler configuration sets ${key}, which the euler sampler cannot follow; set it to false.`,
      );
    }
  }
  return configFlag(config, "use_karras_sigmas", false) ? "karras" : "schedule";
}
