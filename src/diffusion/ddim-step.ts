/** Coefficients of a DDIM step: of the predicted clean latent, the predicted noise, and fresh unit noise. */
export interface DdimCoefficients {
  readonly clean: number;
  readonly epsilon: number;
  readonly noise: number;
}

/**
 * One DDIM step (Song et al. 2020, equations 12 and 16) from alphaBar to previousAlphaBar, eta from 0 to 1.
 *
 * z_s = sqrt(aBar_s) z_0 + sqrt(1 - aBar_s - n^2) e + n noise, with n = eta sqrt((1 - aBar_s) / (1 - aBar_t) (1 - aBar_t / aBar_s)).
 */
export function ddimCoefficients(alphaBar: number, previousAlphaBar: number, eta: number): DdimCoefficients {
  const variance = ((1 - previousAlphaBar) / (1 - alphaBar)) * (1 - alphaBar / previousAlphaBar);
  const noise = eta * Math.sqrt(variance);
  return {
    clean: Math.sqrt(previousAlphaBar),
    // Rounding may leave a tiny negative number where eta is 1.
    epsilon: Math.sqrt(Math.max(0, 1 - previousAlphaBar - noise ** 2)),
    noise,
  };
}
