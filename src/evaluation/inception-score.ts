import { UsageError } from "../errors.ts";
import { counterPermutation } from "../tensor/random/counter.ts";
import type { FeatureIdentity, Features } from "./features.ts";

export interface InceptionScore {
  /** exp of the mean divergence of a picture's classes from all pictures', mean and deviation over splits. */
  readonly score: number;
  readonly deviation: number;
  readonly identity: FeatureIdentity;
  readonly count: number;
  readonly splits: number;
}

export interface InceptionScoreOptions {
  readonly splits: number;
  /** Pictures are shuffled by it before they are split; undefined leaves them in their order. */
  readonly seed: number | undefined;
}

/** As torch-fidelity has it. */
export const inceptionScoreDefaults: InceptionScoreOptions = { splits: 10, seed: 0 };

/** Logarithms of the probabilities of one row of scores. */
function logSoftmax(scores: Float32Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const x of scores) sum += Math.exp(x - most);
  const offset = most + Math.log(sum);
  return Float64Array.from(scores, (x) => x - offset);
}

/**
 * Inception score (Salimans et al., arXiv:1606.03498): exp(E KL(p(class | picture) || p(class))).
 * @throws UsageError when the network has no classes, or there are fewer pictures than splits
 */
export function inceptionScore(features: Features, options: Partial<InceptionScoreOptions> = {}): InceptionScore {
  const { splits, seed } = { ...inceptionScoreDefaults, ...options };
  const { identity, logits } = features;
  if (logits === undefined)
    throw new UsageError(`${identity.network} tells no classes; an inception score needs a network that does.`);
  const [count, classes] = logits.shape as [number, number];
  if (count < splits)
    throw new UsageError(
      `An inception score of ${splits} splits needs at least ${splits} pictures, but there are ${count}.`,
    );
  const order = seed === undefined ? undefined : counterPermutation(seed, "inception score", 0, count);
  const scores: number[] = [];
  for (let split = 0; split < splits; split++) {
    const [begin, end] = [Math.floor((split * count) / splits), Math.floor(((split + 1) * count) / splits)];
    const rows = Array.from({ length: end - begin }, (_, i) => {
      const place = order?.[begin + i] ?? begin + i;
      return logSoftmax(logits.data.subarray(place * classes, (place + 1) * classes));
    });
    const all = new Float64Array(classes);
    for (const row of rows) for (let c = 0; c < classes; c++) all[c]! += Math.exp(row[c]!) / rows.length;
    let divergence = 0;
    for (const row of rows)
      for (let c = 0; c < classes; c++) divergence += Math.exp(row[c]!) * (row[c]! - Math.log(all[c]!));
    scores.push(Math.exp(divergence / rows.length));
  }
  const score = scores.reduce((a, b) => a + b, 0) / splits;
  const deviation = Math.sqrt(scores.reduce((sum, x) => sum + (x - score) ** 2, 0) / splits);
  return { score, deviation, identity, count, splits };
}
