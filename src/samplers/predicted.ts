import type { MixCoefficients } from "../diffusion/forward.ts";
import {
  cleanCoefficients,
  noiseCoefficients,
  type OutputCoefficients,
  type PredictionType,
} from "../diffusion/prediction.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Floats = Tensor<"float32">;

/**
 * The clean latents that a network's output stands for, given the noisy latents and their shares of picture and noise.
 * @throws UsageError as `cleanCoefficients`
 */
export function predictedClean(
  prediction: PredictionType,
  mix: MixCoefficients,
  latents: Floats,
  output: Floats,
): Floats {
  return combined(cleanCoefficients(prediction, mix.clean, mix.noise), latents, output);
}

/** The unit noise that a network's output stands for, given the noisy latents and their shares of picture and noise. */
export function predictedNoise(
  prediction: PredictionType,
  mix: MixCoefficients,
  latents: Floats,
  output: Floats,
): Floats {
  return combined(noiseCoefficients(prediction, mix.clean, mix.noise), latents, output);
}

function combined(coefficients: OutputCoefficients, latents: Floats, output: Floats): Floats {
  return linearCombination([
    [coefficients.sample, latents],
    [coefficients.output, output],
  ]);
}
