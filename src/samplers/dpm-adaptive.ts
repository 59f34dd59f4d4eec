import { type DpmAlgorithm, type DpmStep, type LevelPoint, levelPoint, singlestepStep } from "../diffusion/dpm-step.ts";
import { timestepOfNoiseLevel } from "../diffusion/karras.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import { type NoiseSchedule, noiseLevelAt } from "../diffusion/schedule.ts";
import { usualBetas } from "../diffusion/scheduler-config.ts";
import { keepByStrength } from "../diffusion/timesteps.ts";
import { RuntimeFailure } from "../errors.ts";
import { linearCombination, type Term } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Clip, clipFromConfig, noClip } from "./clip.ts";
import { type DpmPrediction, dpmPrediction, integratedBy } from "./dpm-options.ts";
import { readRequest, type SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

type Floats = Tensor<"float32">;

export interface DpmAdaptiveOptions {
  readonly algorithm: Extract<DpmAlgorithm, "dpmsolver" | "dpmsolver++">;
  /** 2: DPM-Solver-12, two network calls a step; 3: DPM-Solver-23, three. */
  readonly order: 2 | 3;
  /** Image-to-image: the share of the training timesteps to start from, in (0, 1]. */
  readonly strength: number;
  /** Error that a latent may have whatever its size. */
  readonly absoluteTolerance: number;
  /** Error that a latent may have for each unit of its size. */
  readonly relativeTolerance: number;
  /** First step to try, in lambda. */
  readonly firstStep: number;
  /** theta: how much of the step that the error would allow is taken. */
  readonly caution: number;
  /** Network calls after which it counts as hopeless. */
  readonly mostCalls: number;
  readonly clip: Clip;
}

export const dpmAdaptiveDefaults: DpmAdaptiveOptions = {
  algorithm: "dpmsolver",
  order: 3,
  strength: 1,
  absoluteTolerance: 0.0078,
  relativeTolerance: 0.05,
  firstStep: 0.05,
  caution: 0.9,
  mostCalls: 1000,
  clip: noClip,
};

/** Where within a step the network is asked besides its beginning, in shares of h. */
const inner = { 2: [1 / 2], 3: [1 / 3, 2 / 3] } as const;

/**
 * DPM-Solver-12 and DPM-Solver-23 with adaptive step size (Lu et al. 2022a, appendix C, algorithm 3).
 *
 * Each step is taken with orders k - 1 and k, which share their network calls. Their difference, in units of
 * max(atol, rtol max(|x_lower|, |x_previous|)) and as a root mean square E (the batch's largest), decides: E <= 1 accepts
 * the step of order k; then h becomes min(theta h E^(-1/k), what is left). A rejected step is tried again with the
 * prediction at its beginning kept, so it costs one call less than a first try. Ends at the level of timestep 0.
 * @throws UsageError when the strength does not fit
 */
export function dpmAdaptive(schedule: NoiseSchedule, prediction: PredictionType, options: DpmAdaptiveOptions): Sampler {
  const { order, strength, clip } = options;
  const begin = keepByStrength(
    Array.from({ length: schedule.trainSteps }, (_, i) => schedule.trainSteps - 1 - i),
    strength,
  )[0]!;
  const start = levelPoint(noiseLevelAt(schedule, begin));
  const end = levelPoint(noiseLevelAt(schedule, 0));
  return {
    name: order === 2 ? "dpm-solver-12" : "dpm-solver-23",
    timesteps: [begin],
    adaptive: true,
    initNoiseSigma: 1,
    levelAt: (index) => {
      const { alpha, sigma } = index === 0 ? start : end;
      return { clean: alpha, noise: sigma };
    },
    async *sample(input) {
      let calls = 0;
      const ask = async (latents: Floats, at: LevelPoint): Promise<DpmPrediction> => {
        if (calls++ >= options.mostCalls) throw hopeless(options.mostCalls);
        const timestep = timestepOfNoiseLevel(schedule, Math.exp(-at.lambda));
        const output = await input.predict(latents, timestep);
        return dpmPrediction(prediction, integratedBy(options.algorithm), clip, at, latents, output);
      };
      let latents = input.latents;
      let previous = latents;
      let at = start;
      let h = Math.min(options.firstStep, end.lambda - start.lambda);
      for (let index = 0; at.lambda < end.lambda; index++) {
        const timestep = timestepOfNoiseLevel(schedule, Math.exp(-at.lambda));
        const first = await ask(latents, at);
        let accepted: Trial | undefined;
        while (accepted === undefined) {
          const left = end.lambda - at.lambda;
          // The last step ends exactly at the end, so that no crumb is left.
          const to = h >= left ? end : levelPoint(Math.exp(-(at.lambda + h)));
          const trial = await tryStep(options, latents, first.integrated, at, to, ask);
          const error = scaledError(options, trial, previous);
          if (!Number.isFinite(error)) throw new RuntimeFailure("The network's output grew beyond all bounds.");
          h = options.caution * (to.lambda - at.lambda) * error ** (-1 / order);
          if (error > 1) continue;
          accepted = trial;
          at = to;
        }
        previous = accepted.lower;
        latents = accepted.higher;
        latents = input.amend?.(latents, index + 1, { clean: at.alpha, noise: at.sigma }) ?? latents;
        yield { index, timestep, latents, denoised: first.denoised };
      }
    },
  };
}

/** A step of two orders. */
interface Trial {
  readonly lower: Floats;
  readonly higher: Floats;
}

async function tryStep(
  { algorithm, order }: DpmAdaptiveOptions,
  base: Floats,
  first: Floats,
  from: LevelPoint,
  to: LevelPoint,
  ask: (latents: Floats, at: LevelPoint) => Promise<DpmPrediction>,
): Promise<Trial> {
  const points = [from];
  const predictions = [first];
  /** To a level with what is known: within a step, and in second order, derivatives are weighed as in DPM-Solver-2 and -3. */
  const reach = (point: LevelPoint, solverType: "midpoint" | "heun"): Floats => {
    const step = singlestepStep({
      algorithm,
      solverType,
      sdeCurvature: "integral",
      to: point,
      from: points.toReversed(),
    });
    return applied(step, base, predictions.toReversed());
  };
  for (const share of inner[order]) {
    const point = levelPoint(Math.exp(-(from.lambda + share * (to.lambda - from.lambda))));
    const latents = reach(point, "heun");
    predictions.push((await ask(latents, point)).integrated);
    points.push(point);
  }
  const higher = reach(to, "midpoint");
  predictions.pop();
  points.pop();
  return { lower: reach(to, "midpoint"), higher };
}

function applied(step: DpmStep, base: Floats, predictions: readonly Floats[]): Floats {
  return linearCombination([
    [step.sample, base],
    ...step.predictions.map((share, i): Term => [share, predictions[i]!]),
  ]);
}

/** Root mean square of the two orders' difference in units of what is tolerated, the largest of the batch. */
function scaledError(options: DpmAdaptiveOptions, { lower, higher }: Trial, previous: Floats): number {
  const size = lower.data.length / (lower.shape[0] ?? 1);
  let largest = 0;
  for (let start = 0; start < lower.data.length; start += size) {
    let sum = 0;
    for (let i = start; i < start + size; i++) {
      const magnitude = Math.max(Math.abs(lower.data[i]!), Math.abs(previous.data[i]!));
      const tolerated = Math.max(options.absoluteTolerance, options.relativeTolerance * magnitude);
      sum += ((higher.data[i]! - lower.data[i]!) / tolerated) ** 2;
    }
    largest = Math.max(largest, Math.sqrt(sum / size));
  }
  return largest;
}

function hopeless(calls: number): RuntimeFailure {
  return new RuntimeFailure(
    `The adaptive sampler did not reach its end in ${calls} network calls; allow larger errors, or use a sampler with a fixed number of steps.`,
  );
}

/**
 * Makers of the adaptive sampler of an order for a scheduler configuration, but for what `changes` sets; the number of
 * steps in the request has no say.
 */
export function dpmAdaptiveFromConfig(
  order: 2 | 3,
): (request: SamplerRequest, changes?: Partial<DpmAdaptiveOptions>) => Sampler {
  return (request, changes = {}) => {
    const { schedule, prediction, config, extent } = readRequest(request, usualBetas);
    return dpmAdaptive(schedule, prediction, {
      ...dpmAdaptiveDefaults,
      order,
      strength: extent.strength,
      clip: clipFromConfig({ ...config, clip_sample: false }, false),
      ...changes,
    });
  };
}
