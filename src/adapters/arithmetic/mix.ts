/** Which sign wins where changes disagree: the sum's (`total`), or that of most (`frequency`). */
export type SignElection = "total" | "frequency";

/** `sum_i weights[i] changes[i]` into `out`, element by element. */
export function weightedSum(
  changes: readonly (Float32Array | Float64Array)[],
  weights: readonly number[],
  out: Float32Array | Float64Array,
): void {
  for (let j = 0; j < out.length; j++) {
    let sum = 0;
    for (let i = 0; i < changes.length; i++) sum += weights[i]! * changes[i]![j]!;
    out[j] = sum;
  }
}

/**
 * The weighted mean of those changes alone whose sign is the elected one: the last two steps of TIES (Yadav and others 2023,
 * algorithm 1). The sign is elected by the changes before they are weighted, and the sum is divided by the number of changes
 * that have it, as PEFT does.
 */
export function disjointMean(
  changes: readonly (Float32Array | Float64Array)[],
  weights: readonly number[],
  out: Float32Array | Float64Array,
  election: SignElection = "total",
): void {
  for (let j = 0; j < out.length; j++) {
    let vote = 0;
    for (const change of changes) vote += election === "total" ? change[j]! : Math.sign(change[j]!);
    const elected = vote >= 0 ? 1 : -1;
    let [sum, count] = [0, 0];
    for (let i = 0; i < changes.length; i++) {
      const value = changes[i]![j]!;
      if (Math.sign(value) !== elected) continue;
      sum += weights[i]! * value;
      count++;
    }
    out[j] = sum / Math.max(count, 1);
  }
}
