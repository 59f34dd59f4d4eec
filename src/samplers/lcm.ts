import { boundaryDefaults, boundaryScalings } from "../diffusion/consistency.ts";
import { forwardCoefficients } from "../diffusion/forward.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { configNumber, distilledBetas } from "../diffusion/scheduler-config.ts";
import { customTimesteps, lcmTimesteps } from "../diffusion/timesteps.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import { type Clip, clipFromConfig, clipped, noClip } from "./clip.ts";
import { predictedClean } from "./predicted.ts";
import { readRequest, type SamplerRequest } from "./request.ts";
import { purePicture, type Sampler } from "./sampler.ts";

export interface LcmOptions {
  readonly steps: number;
  /** Timesteps of the grid that the model was distilled on. */
  readonly originalSteps: number;
  /** Image-to-image: the share of the noise to start from, in (0, 1]; all steps are kept and spread below it. */
  readonly strength: number;
  /** Spread over the grid, or a descending list instead of `steps`, whose end a strength below 1 keeps. */
  readonly timesteps: "spaced" | readonly number[];
  /** See `boundaryScalings`. */
  readonly timestepScaling: number;
  readonly clip: Clip;
}

export const lcmDefaults: LcmOptions = {
  steps: 4,
  originalSteps: 50,
  strength: 1,
  timesteps: "spaced",
  timestepScaling: boundaryDefaults.timestepScaling,
  clip: noClip,
};

/**
 * Multistep sampling of latent consistency models (Luo et al. 2023, algorithm 3): jump to the clean latents by the
 * consistency function, then add fresh noise down to the next timestep; the last step adds none.
 * @throws UsageError when steps, strength or timesteps do not fit the schedule and the grid
 */
export function lcm(schedule: NoiseSchedule, prediction: PredictionType, options: LcmOptions): Sampler {
  const timesteps = timetable(schedule, options);
  const boundary = { ...boundaryDefaults, timestepScaling: options.timestepScaling };
  const levels = timesteps.map((timestep) => forwardCoefficients(schedule, timestep));
  return {
    name: "lcm",
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => levels[index] ?? purePicture,
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const clean = predictedClean(prediction, levels[index]!, latents, output);
        const { cSkip, cOut } = boundaryScalings(timestep, boundary);
        const denoised = linearCombination([
          [cOut, clipped(clean, options.clip)],
          [cSkip, latents],
        ]);
        const next = levels[index + 1];
        latents =
          next === undefined
            ? denoised
            : linearCombination([
                [next.clean, denoised],
                [next.noise, input.noise()],
              ]);
        latents = input.amend?.(latents, index + 1, next ?? purePicture) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

function timetable({ trainSteps }: NoiseSchedule, options: LcmOptions): readonly number[] {
  if (options.timesteps === "spaced") return lcmTimesteps({ trainSteps, ...options });
  return customTimesteps(options.timesteps, trainSteps, options.strength);
}

/**
 * The sampler that diffusers' LCMScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `lcm`, or for a wrong field
 */
export function lcmFromConfig(request: SamplerRequest, changes: Partial<LcmOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, distilledBetas);
  return lcm(schedule, prediction, {
    ...extent,
    originalSteps: configNumber(config, "original_inference_steps", lcmDefaults.originalSteps),
    timesteps: lcmDefaults.timesteps,
    timestepScaling: configNumber(config, "timestep_scaling", lcmDefaults.timestepScaling),
    clip: clipFromConfig(config, false),
    ...changes,
  });
}
