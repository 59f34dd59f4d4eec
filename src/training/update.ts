import { createAdamw } from "../optim/adamw.ts";
import { clipFactor } from "../optim/clip.ts";
import { createEma, warmedUpDecay } from "../optim/ema.ts";
import type { OptimizerSettings } from "./engine.ts";

/** The vectors of a run; threads that share them update ranges of their own. */
export interface TrainingVectors {
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  readonly ema: Float32Array | undefined;
}

export interface RangeUpdate {
  readonly step: number;
  readonly rate: number;
  /** Sums over `count` micro-batches. */
  readonly gradients: Float32Array;
  readonly count: number;
  /** Global L2 norm of the averaged gradients. */
  readonly norm: number;
  readonly begin: number;
  readonly end: number;
}

/** Clipping, AdamW and the averaged copy on a range of the flat vectors. */
export function createUpdate(settings: OptimizerSettings): (vectors: TrainingVectors, update: RangeUpdate) => void {
  const adamw = createAdamw(settings);
  const average = createEma();
  return (vectors, { step, rate, gradients, count, norm, begin, end }) => {
    const { parameters, ema } = vectors;
    const gradientFactor = clipFactor(norm, settings.maxGradientNorm) / count;
    adamw({ step, rate, gradientFactor, parameters, gradients, state: vectors, begin, end });
    if (ema !== undefined)
      average({ average: ema, parameters, decay: warmedUpDecay(settings.emaDecay, step), begin, end });
  };
}
