import { pointTimetable, type TimetableOptions } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { usualBetas } from "../diffusion/scheduler-config.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import { eulerDefaults } from "./euler.ts";
import { karrasPrediction, startOfLevels } from "./karras-variables.ts";
import { levelsFromConfig, readRequest, type SamplerRequest, spacingFromConfig } from "./request.ts";
import type { Sampler } from "./sampler.ts";

export type EulerAncestralOptions = TimetableOptions;

export const eulerAncestralDefaults: EulerAncestralOptions = eulerDefaults;

/**
 * Ancestral sampling in Euler's steps: each goes below the next level, and fresh noise fills up what is missing.
 *
 * From level s to s' the noise is s_up = s' sqrt(1 - s'^2 / s^2), the step goes to s_down = s'^2 / s.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function eulerAncestral(
  schedule: NoiseSchedule,
  prediction: PredictionType,
  options: EulerAncestralOptions,
): Sampler {
  const { timesteps, levels } = pointTimetable(schedule, options);
  return {
    name: "euler-ancestral",
    timesteps,
    ...startOfLevels(levels, options.spacing),
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const level = levels[index]!;
        const next = levels[index + 1]!;
        const denoised = await karrasPrediction(input, prediction, latents, level, timestep);
        const kept = (next / level) ** 2;
        latents = linearCombination([
          [kept, latents],
          [1 - kept, denoised],
          [next * Math.sqrt(1 - kept), input.noise()],
        ]);
        latents = input.amend?.(latents, index + 1, { clean: 1, noise: next }) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' EulerAncestralDiscreteScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `eulerAncestral`, or for a wrong field
 */
export function eulerAncestralFromConfig(
  request: SamplerRequest,
  changes: Partial<EulerAncestralOptions> = {},
): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  return eulerAncestral(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "linspace"),
    levels: levelsFromConfig(config),
    finalLevel: "zero",
    ...changes,
  });
}
