import {
  type DpmAlgorithm,
  type DpmSolverType,
  integratesPicture,
  type LevelPoint,
  type SdeCurvature,
} from "../diffusion/dpm-step.ts";
import type { TimetableOptions } from "../diffusion/level-timetable.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import { configChoice, type SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { UsageError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Clip, clipFromConfig, clipped, noClip } from "./clip.ts";
import { predictedClean, predictedNoise } from "./predicted.ts";
import {
  finalLevelFromConfig,
  levelsFromConfig,
  orderFromConfig,
  type SamplerChoices,
  spacingFromConfig,
} from "./request.ts";

type Floats = Tensor<"float32">;

/** What all DPM-Solvers with a timetable depend on. */
export interface DpmOptions extends TimetableOptions {
  readonly algorithm: DpmAlgorithm;
  readonly order: 1 | 2 | 3;
  readonly solverType: DpmSolverType;
  /** Whether the last steps fall back to lower orders, which steadies few steps (multistep: fewer than 15). */
  readonly lowerOrderFinal: boolean;
  readonly sdeCurvature: SdeCurvature;
  readonly clip: Clip;
}

export const dpmDefaults: DpmOptions = {
  algorithm: "dpmsolver++",
  order: 2,
  solverType: "midpoint",
  steps: 20,
  strength: 1,
  spacing: "linspace",
  stepsOffset: 0,
  levels: "schedule",
  finalLevel: "zero",
  lowerOrderFinal: true,
  sdeCurvature: "integral",
  clip: noClip,
};

/** What DPM-Solver integrates at one network call, and the clean latents that the call predicts. */
export interface DpmPrediction {
  readonly denoised: Floats;
  readonly integrated: Floats;
}

/** Reads a network's output for an algorithm: the picture, or the noise; both after clipping. */
export function dpmPrediction(
  prediction: PredictionType,
  integrated: "picture" | "noise",
  clip: Clip,
  { alpha, sigma }: LevelPoint,
  latents: Floats,
  output: Floats,
): DpmPrediction {
  const mix = { clean: alpha, noise: sigma };
  const denoised = clipped(predictedClean(prediction, mix, latents, output), clip);
  if (integrated === "picture") return { denoised, integrated: denoised };
  const noise =
    clip.kind === "none"
      ? predictedNoise(prediction, mix, latents, output)
      : predictedNoise("sample", mix, latents, denoised);
  return { denoised, integrated: noise };
}

/** Refuses to end without noise where the noise is integrated, whose lambda would be infinite. @throws UsageError then */
export function checkFinalLevel(integrated: "picture" | "noise", finalLevel: TimetableOptions["finalLevel"]): void {
  if (integrated === "noise" && finalLevel === "zero") {
    throw new UsageError(
      "A solver that integrates the predicted noise cannot end at zero noise; let it end at the lowest level, or integrate the picture (dpm-solver++).",
    );
  }
}

/** Which prediction an algorithm integrates. */
export function integratedBy(algorithm: DpmAlgorithm): "picture" | "noise" {
  return integratesPicture(algorithm) ? "picture" : "noise";
}

/** Options that both forms of DPM-Solver read alike. @throws UsageError for a wrong field */
export function dpmOptionsFromConfig(
  config: SchedulerConfig,
  algorithm: DpmAlgorithm,
  choices: SamplerChoices = {},
): Omit<DpmOptions, "steps" | "strength" | "lowerOrderFinal"> {
  const { lambda_min_clipped: lowestLambda } = config;
  if (typeof lowestLambda === "number" && Number.isFinite(lowestLambda)) {
    throw new UsageError(
      `The scheduler configuration's lambda_min_clipped is ${lowestLambda}, which DPM-Solver cannot follow here; take it out, or use another sampler.`,
    );
  }
  const types = ["midpoint", "heun", "logrho", "bh1", "bh2"] as const;
  return {
    algorithm,
    order: orderFromConfig(config),
    solverType: configChoice(config, "solver_type", types, "midpoint") === "heun" ? "heun" : "midpoint",
    ...spacingFromConfig(config, "linspace"),
    levels: levelsFromConfig(config),
    finalLevel: integratesPicture(algorithm) ? finalLevelFromConfig(config) : "lowest",
    sdeCurvature: choices.sdeCurvature ?? "diffusers",
    clip: clipFromConfig({ ...config, clip_sample: false }, false),
  };
}
