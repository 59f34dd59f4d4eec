import type { JsonObject } from "../../formats/json.ts";
import { type Choice, type Kept, keptOf, measureOf, peakedWarning, withMeasurement } from "../../training/choice.ts";
import { freeKeys } from "../../training/config/common.ts";
import type { TrainingConfigs, TrainingKind } from "../../training/config/parse.ts";
import type { ParameterLayout, TrainingEngine, TrainingState } from "../../training/engine.ts";
import type { LogEntry } from "../../training/log.ts";
import { type TrainingOutcome, type TrainingPlan, train } from "../../training/loop.ts";
import { encodeObjective, layoutOf } from "../../training/objective.ts";
import { parallelEngine } from "../parallel-engine.ts";
import { openRunFolder, type ResumePoint, type RunFolder } from "../run-folder.ts";
import { saveSampleSheet, writeReport } from "../write-report.ts";
import { type JobContext, resultOf } from "./context.ts";
import { prepareJob } from "./prepare-job.ts";
import { keepSources } from "./sources.ts";
import type { TrainingJob } from "./training-job.ts";

/** How a run is begun, watched and ended. */
export interface RunSettings extends Omit<JobContext, "folder"> {
  /** Whether to go on with the run in the folder; without one there, it begins anew either way. */
  readonly resume: boolean;
  /** Told after each step, with what was measured best until then. */
  readonly onStep: (entry: LogEntry, plan: TrainingPlan, choice: Choice) => void;
}

/** How a run ended, and what it wrote. */
export interface RunOutcome extends TrainingOutcome {
  /** Paths of the results: files, and folders of models. */
  readonly files: readonly string[];
  /** Which weights are the result, and why; undefined where nothing was measured and they are the last. */
  readonly kept: Kept | undefined;
  readonly report: string;
}

/**
 * Trains what a config describes in its folder: begins or goes on, logs, saves, measures, draws, and writes the result.
 *
 * The same config and files give the same numbers, however often the run was stopped or killed in between.
 * @throws UsageError when the config names what is missing or does not fit, or the folder holds another run
 * @throws RuntimeFailure when the numbers go wrong
 * @throws DOMException `AbortError` when the signal is aborted before the first step
 */
export async function runTraining<K extends TrainingKind>(
  kind: K,
  config: TrainingConfigs[K],
  settings: RunSettings,
): Promise<RunOutcome> {
  const { signal } = settings;
  // Opened first: that a folder is taken should be known before pictures are encoded.
  await using folder = await openRunFolder(config.output, {
    config: config as unknown as JsonObject,
    resume: settings.resume,
    freeKeys: freeKeys(config),
  });
  const job = await prepareJob(kind, config, { ...settings, folder: folder.path });
  try {
    const layout = layoutOf(job.objective);
    const point = await folder.resume(layout);
    for (const sentence of point.damaged) settings.onNotice(sentence);
    await keepSources(folder.path, job.sources, point.state !== undefined);
    settings.onNotice(describeWork(layout, config.workers));
    signal.throwIfAborted();
    const model = encodeObjective(job.objective);
    const engine = await parallelEngine(model, layout, job.initial, job.optimizer, config.workers);
    try {
      return await trainIn(folder, job, engine, point, `fourstep train ${kind}`, settings);
    } finally {
      await engine.dispose();
    }
  } finally {
    await job.dispose();
  }
}

/** Trains with an engine that is ready. */
async function trainIn(
  folder: RunFolder,
  job: TrainingJob,
  engine: TrainingEngine,
  { state: begun, choice: begunChoice }: ResumePoint,
  title: string,
  { signal, onNotice, onStep }: RunSettings,
): Promise<RunOutcome> {
  const { plan, judge } = job;
  let choice = begunChoice;
  if (begun !== undefined) {
    await engine.restore(begun);
    onNotice(`going on after step ${begun.step}`);
  }
  let files: readonly string[] | undefined;
  // A run that measured before it went on without measures has its last weights as its result.
  const kept = (): Kept | undefined => (judge === undefined ? undefined : keptOf(choice));
  const tellRun = (): Promise<string> => writeReport(folder.path, title, job.sheetCaption, kept());
  const judged = async (state: TrainingState): Promise<Readonly<Record<string, number>>> => {
    if (judge === undefined) return {};
    const measurement = { step: state.step, distances: await judge(state) };
    const next = withMeasurement(choice, measurement);
    if (next.best === measurement) await folder.keepBest(state.step, resultOf(state));
    if (next.warned && !choice.warned) onNotice(peakedWarning(next));
    choice = next;
    return { measure: measureOf(measurement) };
  };
  const write = async (state: TrainingState): Promise<readonly string[]> => {
    const last = resultOf(state);
    if (judge === undefined) return job.export(last, undefined);
    const best = choice.best === undefined ? last : await folder.readBest(choice.best.step, engine.layout);
    return job.export(best, last);
  };
  const outcome = await train({
    engine,
    plan,
    firstStep: begun?.step ?? 0,
    batchAt: (step) => job.batchAt(step),
    save: async (state) => {
      await folder.save(state, engine.layout, choice);
      files = await write(state);
      await tellRun();
    },
    log: (entry) => folder.log(entry),
    hooks: {
      onStep: (entry) => onStep(entry, plan, choice),
      measure: async (state) => ({ ...(await job.measure(state)), ...(await judged(state)) }),
      onSample: async (state) => {
        // A user who stops the run waits for no pictures.
        if (signal.aborted) return;
        const png = await job.sample(state).catch((error: unknown) => {
          if (signal.aborted) return undefined;
          throw error;
        });
        if (png !== undefined) await saveSampleSheet(folder.path, state.step, png);
      },
    },
    clock: () => performance.now(),
    signal,
  });
  // A run that was at its end already has its state, but perhaps not its result.
  if (files === undefined && !outcome.stopped) files = await write(await engine.state());
  return { ...outcome, files: files ?? [], kept: kept(), report: await tellRun() };
}

function describeWork({ length }: ParameterLayout, workers: number): string {
  const cores = workers === 1 ? "one core" : `${workers} cores`;
  return `compiling; ${length.toLocaleString("en")} parameters train on ${cores}`;
}
