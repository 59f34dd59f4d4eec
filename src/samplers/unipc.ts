import { levelPoint } from "../diffusion/dpm-step.ts";
import { solverTimetable, type TimetableOptions } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { configChoice, configFlag, type SchedulerConfig, usualBetas } from "../diffusion/scheduler-config.ts";
import { type UniPcKind, unicCorrect, unipPredict } from "../diffusion/unipc-step.ts";
import { UsageError } from "../errors.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Clip, clipFromConfig } from "./clip.ts";
import { checkFinalLevel, dpmDefaults, dpmPrediction } from "./dpm-options.ts";
import {
  finalLevelFromConfig,
  levelsFromConfig,
  orderFromConfig,
  readRequest,
  type SamplerRequest,
  spacingFromConfig,
} from "./request.ts";
import type { Sampler } from "./sampler.ts";

export interface UniPcOptions extends TimetableOptions {
  readonly order: 1 | 2 | 3;
  readonly kind: UniPcKind;
  /** Which prediction is integrated; thresholding acts on the picture only. */
  readonly integrated: "picture" | "noise";
  /** Whether the order falls towards the end, to 1 in the last step. */
  readonly lowerOrderFinal: boolean;
  /** Steps whose result is left uncorrected, counted from 0. */
  readonly uncorrected: readonly number[];
  readonly clip: Clip;
}

export const uniPcDefaults: UniPcOptions = {
  steps: 20,
  strength: 1,
  spacing: "linspace",
  stepsOffset: 0,
  levels: "schedule",
  finalLevel: "zero",
  order: 2,
  kind: "bh2",
  integrated: "picture",
  lowerOrderFinal: true,
  uncorrected: [],
  clip: dpmDefaults.clip,
};

/**
 * UniPC (Zhao et al. 2023): predicts as a multistep exponential integrator does, and corrects each step once the network
 * was asked at its end, which costs no further call.
 * @throws UsageError when steps or strength do not fit the schedule, or noise is integrated down to zero
 */
export function uniPc(schedule: NoiseSchedule, prediction: PredictionType, options: UniPcOptions): Sampler {
  const { kind, integrated, order, clip, steps } = options;
  checkFinalLevel(integrated, options.finalLevel);
  const { timesteps, levels } = solverTimetable(schedule, options);
  const points = levels.map(levelPoint);
  const skipped = steps - timesteps.length;
  return {
    name: "unipc",
    timesteps,
    initNoiseSigma: 1,
    levelAt: (index) => ({ clean: points[index]!.alpha, noise: points[index]!.sigma }),
    async *sample(input) {
      let latents = input.latents;
      let predictions: readonly Tensor<"float32">[] = [];
      let before: { readonly latents: Tensor<"float32">; readonly order: number } | undefined;
      const mixed = (sample: number, base: Tensor<"float32">, shares: readonly number[], more: readonly Term[]) =>
        linearCombination([[sample, base], ...shares.map((share, i): Term => [share, predictions[i]!]), ...more]);
      for (const [index, timestep] of timesteps.entries()) {
        const here = points[index]!;
        const output = await input.predict(latents, timestep);
        const predicted = dpmPrediction(prediction, integrated, clip, here, latents, output);
        if (before !== undefined && !options.uncorrected.includes(skipped + index - 1)) {
          const from = points.slice(index - before.order, index).reverse();
          const step = unicCorrect({ kind, of: integrated, to: here, from });
          latents = mixed(step.sample, before.latents, step.predictions, [[step.corrected, predicted.integrated]]);
        }
        predictions = [predicted.integrated, ...predictions].slice(0, 3);
        const most = options.lowerOrderFinal ? Math.min(order, timesteps.length - index) : order;
        const used = Math.min(most, predictions.length);
        const to = points[index + 1]!;
        const step = unipPredict({
          kind,
          of: integrated,
          to,
          from: points.slice(index + 1 - used, index + 1).reverse(),
        });
        before = { latents, order: used };
        latents = mixed(step.sample, latents, step.predictions, []);
        latents = input.amend?.(latents, index + 1, { clean: to.alpha, noise: to.sigma }) ?? latents;
        yield { index, timestep, latents, denoised: predicted.denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' UniPCMultistepScheduler is with this configuration, but for what `changes` sets. Where the
 * noise is integrated it ends at the lowest level, whatever the configuration says.
 * @throws UsageError as `uniPc`, or for a wrong field
 */
export function uniPcFromConfig(request: SamplerRequest, changes: Partial<UniPcOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  const integrated = configFlag(config, "predict_x0", true) ? "picture" : "noise";
  const kinds = ["bh1", "bh2", "midpoint", "heun", "logrho"] as const;
  return uniPc(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "linspace"),
    levels: levelsFromConfig(config),
    finalLevel: integrated === "picture" ? finalLevelFromConfig(config) : "lowest",
    order: orderFromConfig(config),
    kind: configChoice(config, "solver_type", kinds, "bh2") === "bh1" ? "bh1" : "bh2",
    integrated,
    lowerOrderFinal: configFlag(config, "lower_order_final", true),
    uncorrected: uncorrectedFromConfig(config),
    clip: integrated === "picture" ? clipFromConfig({ ...config, clip_sample: false }, false) : uniPcDefaults.clip,
    ...changes,
  });
}

function uncorrectedFromConfig(config: SchedulerConfig): readonly number[] {
  const { disable_corrector: steps = [] } = config;
  if (Array.isArray(steps) && steps.every((step): step is number => Number.isInteger(step))) return steps;
  throw new UsageError(
    `The scheduler configuration's disable_corrector is ${JSON.stringify(steps)}, but it must be a list of whole numbers.`,
  );
}
