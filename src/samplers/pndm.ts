import { ddimCoefficients } from "../diffusion/ddim-step.ts";
import type { MixCoefficients } from "../diffusion/forward.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import { alphaBarAt, type NoiseSchedule } from "../diffusion/schedule.ts";
import { configFlag, usualBetas } from "../diffusion/scheduler-config.ts";
import { keepByStrength, roundHalfEven, spacedTimesteps, type TimestepSpacing } from "../diffusion/timesteps.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { predictedClean, predictedNoise } from "./predicted.ts";
import { finalAlphaBarFromConfig, readRequest, type SamplerRequest, spacingFromConfig } from "./request.ts";
import { purePicture, type Sampler } from "./sampler.ts";

export interface PndmOptions {
  readonly steps: number;
  /** Image-to-image: the share of the steps to keep, in (0, 1]; at least one is kept. */
  readonly strength: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** How the first outputs are gathered: three Runge-Kutta steps of four calls, or a step taken twice (PLMS). */
  readonly start: "runge-kutta" | "plms";
  /** alphaBar before timestep 0, where the last step ends: exactly clean, or the first timestep's. */
  readonly finalAlphaBar: "one" | "first";
}

export const pndmDefaults: PndmOptions = {
  steps: 50,
  strength: 1,
  spacing: "leading",
  stepsOffset: 1,
  start: "plms",
  finalAlphaBar: "first",
};

/** A network call and the step that follows from it. Calls are counted from 0. */
export interface PndmCall {
  readonly timestep: number;
  /** The step starts from the latents that this call took, which lie at timestep `from`. */
  readonly base: number;
  readonly from: number;
  /** Below 0 for the final alphaBar. */
  readonly to: number;
  /** Shares of the outputs of this and earlier calls. */
  readonly mix: readonly (readonly [share: number, call: number])[];
}

/** Shares of the newest outputs in a linear multistep step (Adams and Bashforth) of orders 1 to 4, newest first. */
const adams = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]] as const;

/** Runge-Kutta steps with which the Runge-Kutta start begins. */
const rungeKuttaSteps = 3;

/**
 * The calls of PNDM for descending timesteps that lie `stride` apart.
 *
 * With fewer than four timesteps there is no room for Runge-Kutta steps, and it starts as PLMS.
 */
export function pndmCalls(
  timesteps: readonly number[],
  stride: number,
  start: PndmOptions["start"],
): readonly PndmCall[] {
  const calls: PndmCall[] = [];
  /** Calls whose output later steps use, newest first. */
  let known: readonly number[] = [];
  const single = start === "runge-kutta" && timesteps.length > rungeKuttaSteps ? rungeKuttaSteps : 0;
  for (const [i, from] of timesteps.slice(0, single).entries()) {
    const first = calls.length;
    const next = timesteps[i + 1]!;
    const half = Math.floor(stride / 2);
    const step = (timestep: number, to: number, mix: PndmCall["mix"]): void => {
      calls.push({ timestep, base: first, from, to, mix });
    };
    step(from, from - half, [[1, first]]);
    step(next + half, next + half, [[1, first + 1]]);
    step(next + half, next, [[1, first + 2]]);
    step(
      next,
      next,
      [1 / 6, 1 / 3, 1 / 3, 1 / 6].map((share, call) => [share, first + call]),
    );
    known = [first, ...known];
  }
  for (const timestep of timesteps.slice(single)) {
    const call = calls.length;
    known = [call, ...known].slice(0, adams.length);
    const mix = adams[known.length - 1]!.map((share, i) => [share, known[i]!] as const);
    calls.push({ timestep, base: call, from: timestep, to: timestep - stride, mix });
    // The very first step is taken again, with the mean of the outputs at its two ends.
    const second = timesteps[1];
    if (call === 0 && second !== undefined) {
      calls.push({
        timestep: second,
        base: 0,
        from: second + stride,
        to: second,
        mix: [
          [0.5, 1],
          [0.5, 0],
        ],
      });
    }
  }
  return calls;
}

/**
 * Pseudo numerical methods for diffusion models (Liu et al. 2022): DDIM's step with the output mixed from several calls.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function pndm(schedule: NoiseSchedule, prediction: PredictionType, options: PndmOptions): Sampler {
  const { steps, spacing, stepsOffset } = options;
  const spaced = spacedTimesteps(spacing, schedule.trainSteps, steps, stepsOffset).map(roundHalfEven);
  const stride = Math.floor(schedule.trainSteps / steps);
  const calls = pndmCalls(keepByStrength(spaced, options.strength), stride, options.start);
  const finalAlphaBar = options.finalAlphaBar === "one" ? 1 : alphaBarAt(schedule, 0);
  const alphaBar = (t: number): number => (t < 0 ? finalAlphaBar : alphaBarAt(schedule, t));
  const mixAt = (t: number): MixCoefficients => ({ clean: Math.sqrt(alphaBar(t)), noise: Math.sqrt(1 - alphaBar(t)) });
  const levels = calls.map(({ timestep }) => mixAt(timestep));
  return {
    name: "pndm",
    timesteps: calls.map(({ timestep }) => timestep),
    initNoiseSigma: 1,
    levelAt: (index) => levels[index] ?? purePicture,
    async *sample(input) {
      let latents = input.latents;
      const taken: Tensor<"float32">[] = [];
      const outputs: Tensor<"float32">[] = [];
      for (const [index, { timestep, base, from, to, mix }] of calls.entries()) {
        const output = await input.predict(latents, timestep);
        taken.push(latents);
        outputs.push(output);
        const denoised = predictedClean(prediction, levels[index]!, latents, output);
        const start = taken[base]!;
        const mixed = linearCombination(mix.map(([share, call]) => [share, outputs[call]!]));
        const step = ddimCoefficients(alphaBar(from), alphaBar(to), 0);
        latents = linearCombination([
          [step.clean, predictedClean(prediction, mixAt(from), start, mixed)],
          [step.epsilon, predictedNoise(prediction, mixAt(from), start, mixed)],
        ]);
        latents = input.amend?.(latents, index + 1, levels[index + 1] ?? purePicture) ?? latents;
        yield { index, timestep, latents, denoised };
      }
    },
  };
}

/**
 * The sampler that diffusers' PNDMScheduler is with this configuration, but for what `changes` sets; with a strength
 * below 1 it starts anew from the timesteps that are kept.
 * @throws UsageError as `pndm`, or for a wrong field
 */
export function pndmFromConfig(request: SamplerRequest, changes: Partial<PndmOptions> = {}): Sampler {
  const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
  return pndm(schedule, prediction, {
    ...extent,
    ...spacingFromConfig(config, "leading"),
    start: configFlag(config, "skip_prk_steps", false) ? "plms" : "runge-kutta",
    finalAlphaBar: finalAlphaBarFromConfig(config, false),
    ...changes,
  });
}
