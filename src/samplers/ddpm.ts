import { forwardCoefficients } from "../diffusion/forward.ts";
import { posteriorCoefficients } from "../diffusion/posterior.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import { alphaBarAt, type NoiseSchedule } from "../diffusion/schedule.ts";
import { configChoice, usualBetas } from "../diffusion/scheduler-config.ts";
import { keepByStrength, roundHalfEven, spacedTimesteps, type TimestepSpacing } from "../diffusion/timesteps.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import { type Clip, clipFromConfig, clipped, noClip } from "./clip.ts";
import { predictedClean } from "./predicted.ts";
import { readRequest, type SamplerRequest, spacingFromConfig } from "./request.ts";
import { purePicture, type Sampler } from "./sampler.ts";

export interface DdpmOptions {
  readonly steps: number;
  /** Image-to-image: the share of the steps to keep, in (0, 1]; at least one is kept. */
  readonly strength: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** Variance of the fresh noise: the posterior's, or all that the forward process adds. */
  readonly variance: "small" | "large";
  readonly clip: Clip;
}

export const ddpmDefaults: DdpmOptions = {
  steps: 1000,
  strength: 1,
  spacing: "leading",
  stepsOffset: 0,
  variance: "small",
  clip: noClip,
};

/**
 * Denoising diffusion probabilistic models (Ho et al. 2020, algorithm 2): draws each step from the posterior of the
 * forward process, given the predicted clean latents.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function ddpm(schedule: NoiseSchedule, prediction: PredictionType, options: DdpmOptions): Sampler {
  const { steps, spacing, stepsOffset, variance } = options;
  const all = spacedTimesteps(spacing, schedule.trainSteps, steps, stepsOffset).map(roundHalfEven);
  const timesteps = keepByStrength(all, options.strength);
  const levels = timesteps.map((timestep) => forwardCoefficients(schedule, timestep));
  return {
    name: "ddpm",
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => levels[index] ?? purePicture,
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const denoised = clipped(predictedClean(prediction, levels[index]!, latents, output), options.clip);
        const next = timesteps[index + 1];
        const previousAlphaBar = next === undefined ? 1 : alphaBarAt(schedule, next);
        const step = posteriorCoefficients(alphaBarAt(schedule, timestep), previousAlphaBar);
        const deviation = Math.sqrt(variance === "small" ? step.smallVariance : step.largeVariance);
        const fresh: Term[] = timestep > 0 ? [[deviation, input.noise()]] : [];
        latents = linearCombination([[step.clean, denoised], [step.sample, latents], ...fresh]);
        latents = input.amend?.(latents, index + 1, levels[index + 1] ?? purePicture) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' DDPMScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `ddpm`, or for a wrong field
 */
export function ddpmFromConfig(request: SamplerRequest, changes: Partial<DdpmOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  const kinds = ["fixed_small", "fixed_small_log", "fixed_large"] as const;
  return ddpm(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "leading"),
    variance: configChoice(config, "variance_type", kinds, "fixed_small") === "fixed_large" ? "large" : "small",
    clip: clipFromConfig(config, true),
    ...changes,
  });
}
