import { cleanCoefficients, type OutputCoefficients, type PredictionType } from "./prediction.ts";

/** How c_skip and c_out depend on the timestep. */
export interface BoundaryOptions {
  /** What a timestep is multiplied by; larger values come nearer to c_out = 1 for all t > 0. */
  readonly timestepScaling: number;
  /** Standard deviation of the data. */
  readonly sigmaData: number;
}

export const boundaryDefaults: BoundaryOptions = { timestepScaling: 10, sigmaData: 0.5 };

/** The two scalings that make f the identity at t = 0. */
export interface BoundaryScalings {
  readonly cSkip: number;
  readonly cOut: number;
}

/**
 * c_skip(t) = sigmaData^2 / (s^2 + sigmaData^2) and c_out(t) = s / sqrt(s^2 + sigmaData^2), s = timestepScaling t.
 *
 * At t = 0 they are 1 and 0 (latent consistency models, Luo et al. 2023); c_out lacks the factor sigmaData of Karras et
 * al., which is what the published models were trained with.
 */
export function boundaryScalings(timestep: number, options: BoundaryOptions = boundaryDefaults): BoundaryScalings {
  const scaled = options.timestepScaling * timestep;
  const variance = options.sigmaData ** 2;
  return { cSkip: variance / (scaled ** 2 + variance), cOut: scaled / Math.sqrt(scaled ** 2 + variance) };
}

/**
 * The consistency function f(z_t, t) = c_skip(t) z_t + c_out(t) z_0(z_t, output), as coefficients of the sample z_t and
 * of the network's output; z_0 is the clean latent that the output predicts, f(z_0, 0) = z_0.
 */
export function consistencyCoefficients(
  type: PredictionType,
  alpha: number,
  sigma: number,
  { cSkip, cOut }: BoundaryScalings,
): OutputCoefficients {
  const clean = cleanCoefficients(type, alpha, sigma);
  return { sample: cSkip + cOut * clean.sample, output: cOut * clean.output };
}
