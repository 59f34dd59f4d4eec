import { pointTimetable, type TimetableOptions } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Clip, clipFromConfig, clipped, noClip } from "./clip.ts";
import { eulerDefaults } from "./euler.ts";
import { karrasPrediction, startOfLevels } from "./karras-variables.ts";
import { levelsFromConfig, readRequest, type SamplerRequest, spacingFromConfig } from "./request.ts";
import type { Sampler } from "./sampler.ts";

export interface HeunOptions extends TimetableOptions {
  readonly clip: Clip;
}

export const heunDefaults: HeunOptions = { ...eulerDefaults, clip: noClip };

/**
 * Heun's method on the probability flow ODE in Karras et al.'s (2022) variables: each of Euler's steps is taken again
 * with the mean of the directions at its two ends; the last, which ends without noise, is Euler's. That is 2 steps - 1
 * network calls, and as many timesteps.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function heun(schedule: NoiseSchedule, prediction: PredictionType, options: HeunOptions): Sampler {
  const table = pointTimetable(schedule, options);
  const twice = (values: readonly number[]): number[] =>
    values.flatMap((value, i) => (i === 0 ? [value] : [value, value]));
  const timesteps = twice(table.timesteps);
  const levels = [...twice(table.levels.slice(0, -1)), table.levels[table.levels.length - 1]!];
  return {
    name: "heun",
    timesteps,
    ...startOfLevels(levels, options.spacing),
    async *sample(input) {
      let latents = input.latents;
      let begun: { readonly latents: Tensor<"float32">; readonly denoised: Tensor<"float32"> } | undefined;
      for (const [index, timestep] of timesteps.entries()) {
        const level = levels[index]!;
        const next = levels[index + 1]!;
        const predicted = await karrasPrediction(input, prediction, latents, level, timestep);
        const denoised = clipped(predicted, options.clip);
        if (begun === undefined) {
          begun = { latents, denoised };
          latents = linearCombination([
            [next / level, latents],
            [1 - next / level, denoised],
          ]);
        } else {
          // The second visit of this level: from the level before, along the mean of both directions.
          const from = levels[index - 1]!;
          const half = (level - from) / 2;
          latents = linearCombination([
            [1 + half / from, begun.latents],
            [-half / from, begun.denoised],
            [half / level, latents],
            [-half / level, denoised],
          ]);
          begun = undefined;
        }
        latents = input.amend?.(latents, index + 1, { clean: 1, noise: next }) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' HeunDiscreteScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `heun`, or for a wrong field
 */
export function heunFromConfig(request: SamplerRequest, changes: Partial<HeunOptions> = {}): Sampler {
  const betas = { schedule: "linear", start: 0.00085, end: 0.012 } as const;
  const { schedule, prediction, config, extent } = readRequest(request, betas);
  return heun(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "linspace"),
    levels: levelsFromConfig(config),
    finalLevel: "zero",
    clip: clipFromConfig({ ...config, thresholding: false }, false),
    ...changes,
  });
}
