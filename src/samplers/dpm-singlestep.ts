import { type DpmAlgorithm, levelPoint, singlestepStep, takesNoise } from "../diffusion/dpm-step.ts";
import { solverTimetable } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { configFlag, usualBetas } from "../diffusion/scheduler-config.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkFinalLevel, type DpmOptions, dpmOptionsFromConfig, dpmPrediction, integratedBy } from "./dpm-options.ts";
import { readRequest, type SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

/** What users call the single-step solvers. */
export const dpmSinglestepNames = {
  dpmsolver: "dpm-solver-single",
  "dpmsolver++": "dpm-solver++-single",
  "sde-dpmsolver": "dpm-solver-sde-single",
  "sde-dpmsolver++": "dpm-solver++-sde-single",
} as const;

/**
 * Single-step DPM-Solver and DPM-Solver++ (Lu et al. 2022): exponential integrators that ask the network within a step
 * of order k at k - 1 levels more; each of these calls is a timestep of its own.
 * @throws UsageError when steps or strength do not fit the schedule, or noise is integrated down to zero
 */
export function dpmSinglestep(schedule: NoiseSchedule, prediction: PredictionType, options: DpmOptions): Sampler {
  const { algorithm, solverType, sdeCurvature, clip, steps } = options;
  const integrated = integratedBy(algorithm);
  checkFinalLevel(integrated, options.finalLevel);
  const { timesteps, levels } = solverTimetable(schedule, options);
  const points = levels.map(levelPoint);
  const orders = singlestepOrders(options).slice(steps - timesteps.length);
  return {
    name: dpmSinglestepNames[algorithm],
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => ({ clean: points[index]!.alpha, noise: points[index]!.sigma }),
    async *sample(input) {
      let latents = input.latents;
      let base = latents;
      let predictions: readonly Tensor<"float32">[] = [];
      for (const [index, timestep] of timesteps.entries()) {
        const output = await input.predict(latents, timestep);
        const predicted = dpmPrediction(prediction, integrated, clip, points[index]!, latents, output);
        predictions = [predicted.integrated, ...predictions].slice(0, 3);
        // A strength below 1 may begin within a step.
        const order = Math.min(orders[index]!, predictions.length);
        if (order === 1) base = latents;
        const to = points[index + 1]!;
        const from = points.slice(index + 1 - order, index + 1).reverse();
        const step = singlestepStep({ algorithm, solverType, sdeCurvature, to, from });
        const fresh: Term[] = takesNoise(algorithm) ? [[step.noise, input.noise()]] : [];
        latents = linearCombination([
          [step.sample, base],
          ...step.predictions.map((share, i): Term => [share, predictions[i]!]),
          ...fresh,
        ]);
        latents = input.amend?.(latents, index + 1, { clean: to.alpha, noise: to.sigma }) ?? latents;
        yield { index, timestep, latents, denoised: predicted.denoised };
      }
    },
  };
}

/**
 * The order at each network call: 1, 2, ... k, and again. The last is 1 where the end is without noise, which only first
 * order can reach, or where lower orders are asked for; calls that do not divide by k end within a cycle anyway.
 */
export function singlestepOrders({
  order,
  steps,
  lowerOrderFinal,
  finalLevel,
}: Pick<DpmOptions, "order" | "steps" | "lowerOrderFinal" | "finalLevel">): readonly number[] {
  const orders = Array.from({ length: steps }, (_, i) => (i % order) + 1);
  if (finalLevel === "zero" || (lowerOrderFinal && steps % order === 0)) orders[steps - 1] = 1;
  return orders;
}

/**
 * Makers of the sampler that diffusers' DPMSolverSinglestepScheduler is with a configuration and this algorithm, but for
 * what `changes` sets. Algorithms that integrate the noise end at the lowest level, whatever the configuration says.
 */
export function dpmSinglestepFromConfig(
  algorithm: DpmAlgorithm,
): (request: SamplerRequest, changes?: Partial<DpmOptions>) => Sampler {
  return (request, changes = {}) => {
    const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
    return dpmSinglestep(schedule, prediction, {
      ...extent,
      ...dpmOptionsFromConfig(config, algorithm, request.choices),
      // diffusers' class knows one spacing only, whatever the configuration says.
      spacing: request.choices?.spacing ?? "linspace",
      lowerOrderFinal: configFlag(config, "lower_order_final", false),
      ...changes,
    });
  };
}
