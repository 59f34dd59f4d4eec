import type { JsonObject } from "../../formats/json.ts";
import {
  type Batch,
  layParametersOut,
  type OptimizerSettings,
  type ParameterLayout,
  type TrainingState,
} from "../../training/engine.ts";
import type { LogEntry } from "../../training/log.ts";
import { quietHooks, type TrainingHooks, type TrainingOutcome, type TrainingPlan, train } from "../../training/loop.ts";
import { encodeObjective, type Objective } from "../../training/objective.ts";
import { parallelEngine } from "../parallel-engine.ts";
import { openRunFolder } from "../run-folder.ts";

/** One kind of training, ready to run: what is minimised, from where, on which batches, and what becomes of it. */
export interface TrainingJob {
  readonly objective: Objective;
  /** First values of all parameters, as training stores them. */
  readonly initial: Float32Array;
  readonly optimizer: OptimizerSettings;
  readonly plan: TrainingPlan;
  /** The micro-batches of a step, a pure function of it. */
  batchAt(step: number): Promise<readonly Batch[]>;
  /** Measures and draws while the run goes on. */
  readonly hooks: Partial<TrainingHooks>;
  /** Writes the result: called at each checkpoint and at the end. Returns the files' paths. */
  export(state: TrainingState): Promise<readonly string[]>;
}

export interface JobSettings {
  readonly folder: string;
  readonly config: JsonObject;
  readonly resume: boolean;
  /** Cores that train, each with a worker of its own. */
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onStep: (entry: LogEntry, plan: TrainingPlan) => void;
  /** Told one sentence at a time what is going on before the first step. */
  readonly onNotice: (sentence: string) => void;
}

export interface JobOutcome extends TrainingOutcome {
  readonly files: readonly string[];
}

/** Keys of a configuration that a resumed run may change: they do not alter the numbers of the steps done. */
const freeKeys = ["output", "checkpointEvery", "sample", "workers", "measureEvery"] as const;

/** The flat layout of an objective's parameters. */
export function layoutOf({ parameters }: Objective): ParameterLayout {
  return layParametersOut(parameters.map(({ name, stored }) => ({ name, shape: stored })));
}

/**
 * Trains a job in its folder: begins or goes on, logs, saves, draws, and exports the result.
 * @throws UsageError when the folder holds another run; RuntimeFailure when the numbers go wrong
 */
export async function runJob(job: TrainingJob, settings: JobSettings): Promise<JobOutcome> {
  const { objective, initial, optimizer, plan } = job;
  await using folder = await openRunFolder(settings.folder, {
    config: settings.config,
    resume: settings.resume,
    freeKeys,
  });
  const layout = layoutOf(objective);
  const point = await folder.resume(layout);
  for (const sentence of point.damaged) settings.onNotice(sentence);
  settings.onNotice(`compiling ${layout.length.toLocaleString("en")} parameters for ${settings.workers} cores`);
  const engine = await parallelEngine(encodeObjective(objective), layout, initial, optimizer, settings.workers);
  try {
    if (point.state !== undefined) {
      await engine.restore(point.state);
      settings.onNotice(`going on after step ${point.state.step}`);
    }
    const hooks: TrainingHooks = { ...quietHooks, ...job.hooks };
    let files: readonly string[] = [];
    const outcome = await train({
      engine,
      plan,
      firstStep: point.state?.step ?? 0,
      batchAt: (step) => job.batchAt(step),
      save: async (state) => {
        await folder.save(state, layout);
        files = await job.export(state);
      },
      log: (entry) => folder.log(entry),
      hooks: {
        ...hooks,
        onStep: async (entry) => {
          await hooks.onStep(entry);
          settings.onStep(entry, plan);
        },
      },
      clock: () => performance.now(),
      signal: settings.signal,
    });
    if (files.length === 0) files = await job.export(await engine.state());
    return { ...outcome, files };
  } finally {
    await engine.dispose();
  }
}
