/**
 * Quantile of the symmetric beta distribution Beta(a, a): the x in [0, 1] below which a share of it lies.
 * @param shape a, above 0
 * @param share in [0, 1]
 */
export function betaQuantile(shape: number, share: number): number {
  if (share > 0.5) return 1 - betaQuantile(shape, 1 - share);
  if (share <= 0) return 0;
  // Half of the distribution lies below 1/2, so no gamma function is needed to normalise it.
  const wanted = 2 * share * unnormalisedShare(shape, 0.5);
  let low = 0;
  let high = 0.5;
  for (let i = 0; i < 200 && low < high; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (unnormalisedShare(shape, middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Integral of t^(a - 1) (1 - t)^(a - 1) from 0 to x <= 1/2: x^a times a power series in x, whose terms at least halve. */
function unnormalisedShare(shape: number, x: number): number {
  let term = 1;
  let sum = 1 / shape;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-18; n++) {
    term *= ((n - shape) / n) * x;
    sum += term / (shape + n);
  }
  return x ** shape * sum;
}
