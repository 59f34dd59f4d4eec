import { type DpmAlgorithm, levelPoint, multistepStep, takesNoise } from "../diffusion/dpm-step.ts";
import { solverTimetable } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { configFlag, usualBetas } from "../diffusion/scheduler-config.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  checkFinalLevel,
  type DpmOptions,
  dpmDefaults,
  dpmOptionsFromConfig,
  dpmPrediction,
  integratedBy,
} from "./dpm-options.ts";
import { readRequest, type SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

export interface DpmMultistepOptions extends DpmOptions {
  /** Whether the last step is of first order, however many steps there are. */
  readonly eulerAtFinal: boolean;
}

export const dpmMultistepDefaults: DpmMultistepOptions = { ...dpmDefaults, eulerAtFinal: false };

/** What users call the multistep solvers. */
export const dpmMultistepNames = {
  dpmsolver: "dpm-solver",
  "dpmsolver++": "dpm-solver++",
  "sde-dpmsolver": "dpm-solver-sde",
  "sde-dpmsolver++": "dpm-solver++-sde",
} as const;

/** From here on, lower orders at the end no longer help. */
const manySteps = 15;

/**
 * Multistep DPM-Solver and DPM-Solver++ (Lu et al. 2022): exponential integrators that take the prediction's derivatives
 * from earlier steps, so that each step costs one network call.
 * @throws UsageError when steps or strength do not fit the schedule, or noise is integrated down to zero
 */
export function dpmMultistep(
  schedule: NoiseSchedule,
  prediction: PredictionType,
  options: DpmMultistepOptions,
): Sampler {
  const { algorithm, solverType, sdeCurvature, clip } = options;
  const integrated = integratedBy(algorithm);
  checkFinalLevel(integrated, options.finalLevel);
  const { timesteps, levels } = solverTimetable(schedule, options);
  const points = levels.map(levelPoint);
  return {
    name: dpmMultistepNames[algorithm],
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => ({ clean: points[index]!.alpha, noise: points[index]!.sigma }),
    async *sample(input) {
      let latents = input.latents;
      let predictions: readonly Tensor<"float32">[] = [];
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const predicted = dpmPrediction(prediction, integrated, clip, points[index]!, latents, output);
        predictions = [predicted.integrated, ...predictions].slice(0, 3);
        const order = Math.min(orderBeforeEnd(options, timesteps.length - index), predictions.length);
        const to = points[index + 1]!;
        const from = points.slice(index + 1 - order, index + 1).reverse();
        const step = multistepStep({ algorithm, solverType, sdeCurvature, to, from });
        const fresh: Term[] = takesNoise(algorithm) ? [[step.noise, input.noise()]] : [];
        latents = linearCombination([
          [step.sample, latents],
          ...step.predictions.map((share, i): Term => [share, predictions[i]!]),
          ...fresh,
        ]);
        latents = input.amend?.(latents, index + 1, { clean: to.alpha, noise: to.sigma }) ?? latents;
        yield { index, timestep, latents, denoised: predicted.denoised };
      }
    },
  };
}

/** The highest order for a step with so many left, itself included. */
function orderBeforeEnd(options: DpmMultistepOptions, left: number): number {
  const { order, steps, lowerOrderFinal, eulerAtFinal, finalLevel } = options;
  const lower = lowerOrderFinal && steps < manySteps;
  if (left === 1 && (eulerAtFinal || lower || finalLevel === "zero")) return 1;
  return left === 2 && lower ? Math.min(order, 2) : order;
}

/**
 * Makers of the sampler that diffusers' DPMSolverMultistepScheduler is with a configuration and this algorithm, but for
 * what `changes` sets. Algorithms that integrate the noise end at the lowest level, whatever the configuration says.
 */
export function dpmMultistepFromConfig(
  algorithm: DpmAlgorithm,
): (request: SamplerRequest, changes?: Partial<DpmMultistepOptions>) => Sampler {
  return (request, changes = {}) => {
    const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
    return dpmMultistep(schedule, prediction, {
      ...extent,
      ...dpmOptionsFromConfig(config, algorithm, request.choices),
      lowerOrderFinal: configFlag(config, "lower_order_final", true),
      eulerAtFinal: configFlag(config, "euler_at_final", false),
      ...changes,
    });
  };
}
