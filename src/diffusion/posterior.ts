/** q(z_s | z_t, z_0) of a step from t down to s: its mean's coefficients, and two choices of its variance. */
export interface PosteriorCoefficients {
  readonly clean: number;
  readonly sample: number;
  /** The posterior's own variance. */
  readonly smallVariance: number;
  /** What the forward process adds from s to t. */
  readonly largeVariance: number;
}

/**
 * The posterior of the forward process (Ho et al. 2020, equations 6 and 7), from alphaBar to previousAlphaBar.
 *
 * With a = alphaBar / previousAlphaBar and b = 1 - a: mean sqrt(previousAlphaBar) b / (1 - alphaBar) z_0 +
 * sqrt(a) (1 - previousAlphaBar) / (1 - alphaBar) z_t, variance (1 - previousAlphaBar) / (1 - alphaBar) b, or b.
 */
export function posteriorCoefficients(alphaBar: number, previousAlphaBar: number): PosteriorCoefficients {
  const kept = alphaBar / previousAlphaBar;
  const added = 1 - kept;
  const shrunk = (1 - previousAlphaBar) / (1 - alphaBar);
  return {
    clean: (Math.sqrt(previousAlphaBar) * added) / (1 - alphaBar),
    sample: Math.sqrt(kept) * shrunk,
    // Never quite zero, so that its logarithm exists.
    smallVariance: Math.max(1e-20, shrunk * added),
    largeVariance: added,
  };
}
