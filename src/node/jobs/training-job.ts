import type { Batch, OptimizerSettings, TrainingState } from "../../training/engine.ts";
import type { TrainingPlan } from "../../training/loop.ts";
import type { Objective } from "../../training/objective.ts";
import type { JobSources } from "./sources.ts";

/** One kind of training, ready to run: what is minimised, from where, on which batches, and what becomes of it. */
export interface TrainingJob {
  readonly objective: Objective;
  /** First values of all parameters, as training stores them. */
  readonly initial: Float32Array;
  readonly optimizer: OptimizerSettings;
  readonly plan: TrainingPlan;
  /** What the numbers depend on beside the config. */
  readonly sources: JobSources;
  /** What each sample sheet shows. */
  readonly sheetCaption: string;
  /** The micro-batches of a step, a pure function of it. */
  batchAt(step: number): Promise<readonly Batch[]>;
  /** Measures the state; what it returns joins the log. */
  measure(state: TrainingState): Promise<Readonly<Record<string, number>>>;
  /**
   * What the run is judged by, where it judges itself: a distance for each picture of a set that never changes. The weights
   * whose mean is lowest are then the result.
   */
  readonly judge: ((state: TrainingState) => Promise<readonly number[]>) | undefined;
  /** Draws a sample sheet as a PNG. */
  sample(state: TrainingState): Promise<Uint8Array>;
  /**
   * Writes the result: called at each checkpoint and at the end. Returns its paths: files and folders.
   * @param weights the run's flat vector, as `resultOf` gives it
   * @param last the newest weights, which are written under another name, where the result may be older ones
   */
  export(weights: Float32Array, last: Float32Array | undefined): Promise<readonly string[]>;
  /** Frees what measuring and drawing held. */
  dispose(): Promise<void>;
}
