import { pointTimetable, type TimetableOptions } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { usualBetas } from "../diffusion/scheduler-config.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import { karrasPrediction, startOfLevels } from "./karras-variables.ts";
import {
  finalLevelFromConfig,
  levelsFromConfig,
  readRequest,
  type SamplerRequest,
  spacingFromConfig,
} from "./request.ts";
import type { Sampler } from "./sampler.ts";

export type EulerOptions = TimetableOptions;

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
  const { timesteps, levels } = pointTimetable(schedule, options);
  return {
    name: "euler",
    timesteps,
    ...startOfLevels(levels, options.spacing),
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const level = levels[index]!;
        const next = levels[index + 1]!;
        const denoised = await karrasPrediction(input, prediction, latents, level, timestep);
        latents = linearCombination([
          [next / level, latents],
          [1 - next / level, denoised],
        ]);
        latents = input.amend?.(latents, index + 1, { clean: 1, noise: next }) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' EulerDiscreteScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `euler`, or for a wrong field
 */
export function eulerFromConfig(request: SamplerRequest, changes: Partial<EulerOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  return euler(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "linspace"),
    levels: levelsFromConfig(config),
    finalLevel: finalLevelFromConfig(config),
    ...changes,
  });
}
