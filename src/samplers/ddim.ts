import { ddimCoefficients } from "../diffusion/ddim-step.ts";
import { forwardCoefficients } from "../diffusion/forward.ts";
import { noiseCoefficients, type PredictionType } from "../diffusion/prediction.ts";
import { alphaBarAt, type NoiseSchedule } from "../diffusion/schedule.ts";
import { configNumber, usualBetas } from "../diffusion/scheduler-config.ts";
import { keepByStrength, roundHalfEven, spacedTimesteps, type TimestepSpacing } from "../diffusion/timesteps.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import { type Clip, clipFromConfig, clipped, noClip } from "./clip.ts";
import { predictedClean } from "./predicted.ts";
import { finalAlphaBarFromConfig, readRequest, type SamplerRequest, spacingFromConfig } from "./request.ts";
import { purePicture, type Sampler } from "./sampler.ts";

export interface DdimOptions {
  readonly steps: number;
  /** Image-to-image: the share of the steps to keep, in (0, 1]; at least one is kept. */
  readonly strength: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** Share of fresh noise: 0 is deterministic, 1 as much as ancestral sampling adds. */
  readonly eta: number;
  /** alphaBar before timestep 0, where the last step ends: exactly clean, or the first timestep's. */
  readonly finalAlphaBar: "one" | "first";
  readonly clip: Clip;
}

export const ddimDefaults: DdimOptions = {
  steps: 50,
  strength: 1,
  spacing: "leading",
  stepsOffset: 1,
  eta: 0,
  finalAlphaBar: "first",
  clip: noClip,
};

/**
 * Denoising diffusion implicit models (Song et al. 2020): predict clean latents and noise, mix them anew at the level
 * T / steps timesteps below; with eta 0 the first-order solver of the probability flow ODE.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function ddim(schedule: NoiseSchedule, prediction: PredictionType, options: DdimOptions): Sampler {
  const { steps, strength, spacing, stepsOffset, eta, clip } = options;
  const all = spacedTimesteps(spacing, schedule.trainSteps, steps, stepsOffset).map(roundHalfEven);
  const timesteps = keepByStrength(all, strength);
  const stride = Math.floor(schedule.trainSteps / steps);
  const finalAlphaBar = options.finalAlphaBar === "one" ? 1 : alphaBarAt(schedule, 0);
  const levels = timesteps.map((timestep) => forwardCoefficients(schedule, timestep));
  return {
    name: "ddim",
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => levels[index] ?? purePicture,
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const level = levels[index]!;
        const denoised = clipped(predictedClean(prediction, level, latents, output), clip);
        const toNoise = noiseCoefficients(prediction, level.clean, level.noise);
        const before = timestep - stride;
        const previousAlphaBar = before < 0 ? finalAlphaBar : alphaBarAt(schedule, before);
        const step = ddimCoefficients(alphaBarAt(schedule, timestep), previousAlphaBar, eta);
        const fresh: Term[] = eta === 0 ? [] : [[step.noise, input.noise()]];
        latents = linearCombination([
          [step.clean, denoised],
          [step.epsilon * toNoise.sample, latents],
          [step.epsilon * toNoise.output, output],
          ...fresh,
        ]);
        latents = input.amend?.(latents, index + 1, levels[index + 1] ?? purePicture) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' DDIMScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `ddim`, or for a wrong field
 */
export function ddimFromConfig(request: SamplerRequest, changes: Partial<DdimOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  return ddim(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "leading"),
    eta: configNumber(config, "eta", 0),
    finalAlphaBar: finalAlphaBarFromConfig(config, true),
    clip: clipFromConfig(config, true),
    ...changes,
  });
}
