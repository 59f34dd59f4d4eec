import { UsageError } from "../errors.ts";

/** What a network predicts: the noise, the velocity v = alpha noise - sigma z_0 (Salimans and Ho 2022), or z_0 itself. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** Coefficients of a linear combination of the noisy sample z_t and the network's output. */
export interface OutputCoefficients {
  readonly sample: number;
  readonly output: number;
}

/**
 * The predicted clean z_0 from the sample and the network's output.
 *
 * epsilon: (z_t - sigma e) / alpha; v: alpha z_t - sigma v; sample: the output.
 * @throws UsageError for epsilon at alpha = 0, where the sample is pure noise and tells nothing of z_0
 */
export function cleanCoefficients(type: PredictionType, alpha: number, sigma: number): OutputCoefficients {
  switch (type) {
    case "epsilon":
      if (alpha === 0) {
        throw new UsageError(
          "A model that predicts epsilon cannot start from pure noise (zero terminal SNR); use a v_prediction model, " +
            "or a noise schedule that is not rescaled.",
        );
      }
      return { sample: 1 / alpha, output: -sigma / alpha };
    case "v_prediction":
      return { sample: alpha, output: -sigma };
    case "sample":
      return { sample: 0, output: 1 };
  }
}

/**
 * The predicted noise from the sample and the network's output.
 *
 * epsilon: the output; v: sigma z_t + alpha v; sample: (z_t - alpha z_0) / sigma.
 */
export function noiseCoefficients(type: PredictionType, alpha: number, sigma: number): OutputCoefficients {
  switch (type) {
    case "epsilon":
      return { sample: 0, output: 1 };
    case "v_prediction":
      return { sample: sigma, output: alpha };
    case "sample":
      return { sample: 1 / sigma, output: -alpha / sigma };
  }
}

/** What the network should output, as a linear combination of the clean z_0 and the noise: the target of training. */
export function targetCoefficients(
  type: PredictionType,
  alpha: number,
  sigma: number,
): { readonly clean: number; readonly noise: number } {
  switch (type) {
    case "epsilon":
      return { clean: 0, noise: 1 };
    case "v_prediction":
      return { clean: -sigma, noise: alpha };
    case "sample":
      return { clean: 1, noise: 0 };
  }
}
