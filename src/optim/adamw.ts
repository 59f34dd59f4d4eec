import { blockLength, createKernel, fetchBlock, returnBlock } from "./kernel.ts";

/** Settings of AdamW. */
export interface AdamwSettings {
  readonly beta1: number;
  readonly beta2: number;
  /** Added to the corrected root of the second moment. */
  readonly epsilon: number;
  /** Decoupled decay per step, as a factor of the rate. */
  readonly weightDecay: number;
}

/** Running means of the gradients and of their squares, one element per parameter. */
export interface AdamwState {
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** One update of elements `begin` to `end` of flat vectors that all have the same length. */
export interface AdamwUpdate {
  /** Updates done before this one. */
  readonly step: number;
  readonly rate: number;
  /** Multiplies each gradient: the factor of clipping, 1 over the number of micro-batches, or their product. */
  readonly gradientFactor: number;
  /** Changed in place. */
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  /** Changed in place. */
  readonly state: AdamwState;
  readonly begin: number;
  readonly end: number;
}

/** State before the first update: all zeros. */
export function initAdamw(length: number): AdamwState {
  return { firstMoment: new Float32Array(length), secondMoment: new Float32Array(length) };
}

/**
 * Makes the update of AdamW (Loshchilov and Hutter 2019, algorithm 2), in the order and precision of `torch.optim.AdamW`:
 * with t = step + 1,
 *
 *     m <- m + (1 - beta1)(g - m)            v <- beta2 v + (1 - beta2) g^2
 *     theta <- theta (1 - rate * decay) - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 *
 * Elements do not depend on one another, so threads may each update a range of their own, to the same bits. The function
 * owns a small work space; each thread makes its own.
 */
export function createAdamw(settings: AdamwSettings): (update: AdamwUpdate) => void {
  const kernel = createKernel();
  const [theta, g, m, v] = kernel.blocks;
  const { beta1, beta2, epsilon, weightDecay } = settings;
  return ({ step, rate, gradientFactor, parameters, gradients, state, begin, end }) => {
    const scalars = {
      gradientFactor,
      firstWeight: 1 - beta1,
      beta2,
      secondWeight: 1 - beta2,
      parameterFactor: 1 - rate * weightDecay,
      stepSize: rate / (1 - beta1 ** (step + 1)),
      rootCorrection: Math.sqrt(1 - beta2 ** (step + 1)),
      epsilon,
    };
    for (let from = begin; from < end; from += blockLength) {
      const to = Math.min(from + blockLength, end);
      fetchBlock(theta, parameters, from, to);
      fetchBlock(g, gradients, from, to);
      fetchBlock(m, state.firstMoment, from, to);
      fetchBlock(v, state.secondMoment, from, to);
      kernel.adamw(to - from, scalars);
      returnBlock(theta, parameters, from, to);
      returnBlock(m, state.firstMoment, from, to);
      returnBlock(v, state.secondMoment, from, to);
    }
  };
}
