import { forwardCoefficients } from "../diffusion/forward.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import { alphaBarAt, type NoiseSchedule } from "../diffusion/schedule.ts";
import { configNumber, distilledBetas } from "../diffusion/scheduler-config.ts";
import { lcmTimesteps } from "../diffusion/timesteps.ts";
import { UsageError } from "../errors.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import { predictedClean, predictedNoise } from "./predicted.ts";
import { readRequest, type SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

export interface TcdOptions {
  readonly steps: number;
  /** Timesteps of the grid that the model was distilled on. */
  readonly originalSteps: number;
  /** Image-to-image: the share of the noise to start from, in (0, 1]; all steps are kept and spread below it. */
  readonly strength: number;
  /** gamma: how far each step jumps below the next timestep before fresh noise leads back, from 0 (none) to 1 (as LCM). */
  readonly eta: number;
}

export const tcdDefaults: TcdOptions = { steps: 4, originalSteps: 50, strength: 1, eta: 0.3 };

/**
 * Strategic stochastic sampling of trajectory consistency distillation (Zheng et al. 2024, algorithm 4): jump along the
 * trajectory to s = floor((1 - gamma) t'), then add fresh noise up to the next timestep t'; the last step adds none.
 * @throws UsageError when steps, strength or eta do not fit
 */
export function tcd(schedule: NoiseSchedule, prediction: PredictionType, options: TcdOptions): Sampler {
  const { eta } = options;
  if (!(eta >= 0 && eta <= 1))
    throw new UsageError(`The eta of the tcd sampler is ${eta}, but it must be from 0 to 1.`);
  const timesteps = lcmTimesteps({ trainSteps: schedule.trainSteps, ...options });
  const levels = [...timesteps, 0].map((timestep) => forwardCoefficients(schedule, timestep));
  return {
    name: "tcd",
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => levels[index]!,
    async *sample(input) {
      let latents = input.latents;
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const level = levels[index]!;
        const denoised = predictedClean(prediction, level, latents, output);
        const epsilon = predictedNoise(prediction, level, latents, output);
        const next = timesteps[index + 1] ?? 0;
        // In float32, as diffusers rounds it down.
        const target = Math.floor(Math.fround(Math.fround(1 - eta) * next));
        const jump = forwardCoefficients(schedule, target);
        const isLast = index === timesteps.length - 1;
        const ratio = eta === 0 || isLast ? 1 : alphaBarAt(schedule, next) / alphaBarAt(schedule, target);
        const back = Math.sqrt(ratio);
        const fresh: Term[] = eta === 0 || isLast ? [] : [[Math.sqrt(1 - ratio), input.noise()]];
        latents = linearCombination([[back * jump.clean, denoised], [back * jump.noise, epsilon], ...fresh]);
        latents = input.amend?.(latents, index + 1, levels[index + 1]!) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' TCDScheduler is with this configuration, but for what `changes` sets.
 * @throws UsageError as `tcd`, or for a wrong field
 */
export function tcdFromConfig(request: SamplerRequest, changes: Partial<TcdOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, distilledBetas);
  return tcd(schedule, prediction, {
    ...extent,
    originalSteps: configNumber(config, "original_inference_steps", tcdDefaults.originalSteps),
    eta: configNumber(config, "eta", tcdDefaults.eta),
    ...changes,
  });
}
