import type { CommonConfig } from "../../training/config/common.ts";
import { optimizerSettings, rateSchedule } from "../../training/config/common.ts";
import type { OptimizerSettings, TrainingState } from "../../training/engine.ts";
import type { TrainingPlan } from "../../training/loop.ts";

/** What a job may use and tell while it is prepared and while it draws. */
export interface JobContext {
  /** The run's folder. */
  readonly folder: string;
  /** Aborted when the user wants to stop; preparations end at the next picture. */
  readonly signal: AbortSignal;
  /** Told one sentence at a time. */
  readonly onNotice: (sentence: string) => void;
  /** Told how far a lengthy preparation is, e.g. "encoding pictures". */
  readonly onProgress: (what: string, done: number, total: number) => void;
}

/** Tells how far a preparation is. @throws DOMException `AbortError` once the user wants to stop */
export function reportTo(context: JobContext, what: string): (done: number, total: number) => void {
  return (done, total) => {
    context.signal.throwIfAborted();
    context.onProgress(what, done, total);
  };
}

/** The plan and the optimiser that a config of any kind describes. */
export function planOf(config: CommonConfig): { readonly plan: TrainingPlan; readonly optimizer: OptimizerSettings } {
  const { steps, rate, batchSize, accumulate, checkpointEvery, measureEvery, sample } = config;
  return {
    plan: {
      steps,
      rate,
      schedule: rateSchedule(config),
      picturesPerStep: batchSize * accumulate,
      checkpointEvery,
      sampleEvery: sample.every,
      measureEvery,
    },
    optimizer: optimizerSettings(config),
  };
}

/** The weights that a run is made for: the averaged copy where one is kept. */
export function resultOf({ ema, parameters }: TrainingState): Float32Array {
  return ema ?? parameters;
}
