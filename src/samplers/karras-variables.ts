import type { PredictionType } from "../diffusion/prediction.ts";
import type { TimestepSpacing } from "../diffusion/timesteps.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { predictedClean } from "./predicted.ts";
import type { Sampler, SamplingInput } from "./sampler.ts";

/** Where a sampler in Karras et al.'s variables starts, and the levels it passes (the final one last). */
export function startOfLevels(
  levels: readonly number[],
  spacing: TimestepSpacing,
): Pick<Sampler, "initNoiseSigma" | "levelAt"> {
  const highest = levels[0]!;
  return {
    // "leading" stops short of pure noise: there the starting noise stands for noise and picture together.
    initNoiseSigma: spacing === "leading" ? Math.sqrt(highest ** 2 + 1) : highest,
    levelAt: (index) => ({ clean: 1, noise: levels[index]! }),
  };
}

/** The clean latents that the network predicts for x = z / alpha at a noise level; it sees x / sqrt(level^2 + 1). */
export async function karrasPrediction(
  input: SamplingInput,
  prediction: PredictionType,
  latents: Tensor<"float32">,
  level: number,
  timestep: number,
): Promise<Tensor<"float32">> {
  const alpha = 1 / Math.sqrt(level ** 2 + 1);
  const seen = linearCombination([[alpha, latents]]);
  const output = await input.predict(seen, timestep);
  return predictedClean(prediction, { clean: alpha, noise: level * alpha }, seen, output);
}
