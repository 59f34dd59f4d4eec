import { blockLength, createKernel, fetchBlock, returnBlock } from "./kernel.ts";

/** One update of elements `begin` to `end` of an averaged copy. */
export interface EmaUpdate {
  /** The copy (theta minus), changed in place. */
  readonly average: Float32Array;
  readonly parameters: Float32Array;
  /** mu in [0, 1]: the share that the copy keeps. */
  readonly decay: number;
  readonly begin: number;
  readonly end: number;
}

/** An averaged copy before the first update: the parameters themselves. */
export function initEma(parameters: Float32Array): Float32Array {
  return parameters.slice();
}

/**
 * Makes the update of an exponential moving average, theta minus <- mu theta minus + (1 - mu) theta. The function owns a
 * small work space; each thread makes its own.
 */
export function createEma(): (update: EmaUpdate) => void {
  const kernel = createKernel();
  const [theta, copy] = kernel.blocks;
  return ({ average, parameters, decay, begin, end }) => {
    for (let from = begin; from < end; from += blockLength) {
      const to = Math.min(from + blockLength, end);
      fetchBlock(theta, parameters, from, to);
      fetchBlock(copy, average, from, to);
      kernel.average(to - from, 1 - decay);
      returnBlock(copy, average, from, to);
    }
  };
}

/**
 * Decay that rises towards its full value, min(decay, (1 + step) / (10 + step)), so that a short run's average does not
 * hang on to its first weights; `step` counts the updates done before.
 */
export function warmedUpDecay(decay: number, step: number): number {
  return Math.min(decay, (1 + step) / (10 + step));
}
