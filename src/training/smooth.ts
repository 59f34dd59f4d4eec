/**
 * Exponential moving averages from the first value to each, without the pull to zero at the beginning: weights of older
 * values halve every `halfLife` values. Values that are not finite are passed over.
 */
export function smooth(values: readonly number[], halfLife: number): number[] {
  const keep = 0.5 ** (1 / halfLife);
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (Number.isFinite(value)) {
      sum = keep * sum + (1 - keep) * value;
      weight = keep * weight + (1 - keep);
    }
    return sum / weight;
  });
}

/** The mean of averages from the left and from the right: follows a slope without lag. */
export function smoothBothWays(values: readonly number[], halfLife: number): number[] {
  const forth = smooth(values, halfLife);
  const back = smooth(values.toReversed(), halfLife).reverse();
  return forth.map((value, index) => {
    const other = back[index]!;
    // Before the first finite value, or after the last, only one side knows anything.
    return Number.isNaN(value) ? other : Number.isNaN(other) ? value : (value + other) / 2;
  });
}
