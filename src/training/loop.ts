import { RuntimeFailure } from "../errors.ts";
import type { RateSchedule } from "../optim/rates.ts";
import type { Batch, StepResult, TrainingEngine, TrainingState } from "./engine.ts";
import type { LogEntry } from "./log.ts";

/** What a run does at which step. */
export interface TrainingPlan {
  /** Steps of the whole run, those done before a resume included. */
  readonly steps: number;
  /** Full learning rate. */
  readonly rate: number;
  /** Factor of the rate at each step. */
  readonly schedule: RateSchedule;
  /** Pictures that each step sees, over all its micro-batches. */
  readonly picturesPerStep: number;
  /** Steps between checkpoints; 0 saves only at the end. */
  readonly checkpointEvery: number;
  /** Steps between sample sheets; 0 draws none. */
  readonly sampleEvery: number;
  /** Steps between measures; 0 takes none. */
  readonly measureEvery: number;
}

/** What the loop tells and asks while it runs; it waits for each. */
export interface TrainingHooks {
  /** Told after each step, once its entry is in the log. */
  readonly onStep: (entry: LogEntry) => Promise<void> | void;
  /** Draws a sample sheet; the arrays of the state are its own. */
  readonly onSample: (state: TrainingState) => Promise<void> | void;
  /** Measures the state; what it returns joins the metrics of that step's log entry. */
  readonly measure: (state: TrainingState) => Promise<Readonly<Record<string, number>>>;
}

/** Hooks that do nothing. */
export const quietHooks: TrainingHooks = {
  onStep: () => {},
  onSample: () => {},
  measure: async () => ({}),
};

/** All that `train` needs; its effects lie in `save`, `log` and the hooks. */
export interface TrainingRun {
  readonly engine: TrainingEngine;
  readonly plan: TrainingPlan;
  /** Steps done before: 0, or the step of the state that the engine was restored to. */
  readonly firstStep: number;
  /** The micro-batches of a step, a pure function of it; the next step's are prepared while one runs. */
  readonly batchAt: (step: number) => Promise<readonly Batch[]>;
  readonly save: (state: TrainingState) => Promise<void>;
  readonly log: (entry: LogEntry) => Promise<void> | void;
  readonly hooks: TrainingHooks;
  /** Time in milliseconds from any fixed moment. */
  readonly clock: () => number;
  /** Ends the run after the current step, which is saved. */
  readonly signal: AbortSignal;
}

/** How a run ended. */
export interface TrainingOutcome {
  readonly step: number;
  /** Whether the signal ended the run before its last step. */
  readonly stopped: boolean;
}

/**
 * Trains until the plan's last step or the signal, saving at the checkpoints and at the end.
 * @throws RuntimeFailure when a loss or a gradient is not finite, naming the step and the last saved one.
 */
export async function train(run: TrainingRun): Promise<TrainingOutcome> {
  const { engine, plan, hooks, clock, signal } = run;
  let step = run.firstStep;
  let saved = step;
  let upcoming = step < plan.steps ? prepare(run, step) : undefined;
  while (upcoming !== undefined && !signal.aborted) {
    const started = clock();
    const batches = await upcoming;
    upcoming = step + 1 < plan.steps ? prepare(run, step + 1) : undefined;
    const rate = plan.rate * plan.schedule(step);
    const result = await engine.step({ step, rate, batches });
    step++;
    requireFinite(result, step, saved);
    const { loss, gradientNorm } = result;
    const milliseconds = clock() - started;
    const due = (every: number): boolean => every > 0 && (step % every === 0 || step === plan.steps);
    const wanted = due(plan.checkpointEvery) || due(plan.sampleEvery) || due(plan.measureEvery);
    const snapshot = wanted ? await engine.state() : undefined;
    const measured = snapshot !== undefined && due(plan.measureEvery) ? await hooks.measure(snapshot) : {};
    const metrics = { ...result.metrics, ...measured };
    const entry = { step, loss, rate, gradientNorm, pictures: plan.picturesPerStep, milliseconds, metrics };
    await run.log(entry);
    await hooks.onStep(entry);
    if (snapshot !== undefined && due(plan.checkpointEvery)) {
      await run.save(snapshot);
      saved = step;
    }
    if (snapshot !== undefined && due(plan.sampleEvery)) await hooks.onSample(snapshot);
  }
  if (saved !== step) await run.save(await engine.state());
  return { step, stopped: step < plan.steps };
}

function prepare(run: TrainingRun, step: number): Promise<readonly Batch[]> {
  const batches = run.batchAt(step);
  // A failure is thrown where the batch is awaited; until then, or if it never is, it must not end the process.
  batches.catch(() => {});
  return batches;
}

function requireFinite({ loss, gradientNorm }: StepResult, step: number, saved: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const what = Number.isFinite(loss) ? `the gradient's norm is ${gradientNorm}` : `the loss is ${loss}`;
  const back = saved > 0 ? `the last good checkpoint is that of step ${saved}` : "there is no checkpoint yet";
  throw new RuntimeFailure(`step ${step}: ${what}, so the run was stopped; ${back}; try a lower rate`);
}
