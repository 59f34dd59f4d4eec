import type { SamplerName } from "../../samplers/registry.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import type { CaptionRecord } from "../../training/data/captions.ts";
import type { Batch } from "../../training/engine.ts";
import type { Objective } from "../../training/objective.ts";
import { type JobContext, planOf, resultOf } from "./context.ts";
import { type FixedLoss, fixedLoss } from "./fixed-loss.ts";
import { drawable } from "./memory-model.ts";
import type { Outcome } from "./outcomes.ts";
import { drawSheet, samplePrompts } from "./sample-sheet.ts";
import type { JobSources } from "./sources.ts";
import type { TeacherDistance } from "./teacher-distance.ts";
import type { TrainingJob } from "./training-job.ts";

/** What tells the kinds of training a diffusion model apart, once all is prepared. */
export interface JobParts {
  readonly objective: Objective;
  readonly initial: Float32Array;
  readonly sources: JobSources;
  readonly outcome: Outcome;
  /** How sheets are drawn. */
  readonly sampler: SamplerName;
  /** Captions that sheets take where the config names no prompts. */
  readonly records: readonly CaptionRecord[];
  /** The micro-batches of a step. */
  readonly batchAt: (step: number) => readonly Batch[];
  /** Micro-batches that never change, by the name that their mean loss has in the log. */
  readonly measures: Readonly<Record<string, () => readonly Batch[]>>;
  /** What chooses the result among the run's weights; the last ones are the result without it. */
  readonly judge?: TeacherDistance;
}

/** A job for a diffusion model out of its parts. */
export function assembleJob(config: CommonConfig, parts: JobParts, context: JobContext): TrainingJob {
  const { objective, initial, sources, outcome, sampler, records, batchAt, measures, judge } = parts;
  const { sample, size } = config;
  const prompts = samplePrompts(sample.prompts, records);
  const loss: FixedLoss = fixedLoss(objective);
  return {
    objective,
    initial,
    ...planOf(config),
    sources,
    sheetCaption: prompts.join(" · "),
    batchAt: async (step) => batchAt(step),
    async measure(state) {
      const results: Record<string, number> = {};
      for (const [name, batches] of Object.entries(measures)) results[name] = await loss.measure(state, batches());
      return results;
    },
    judge: judge && ((state) => judge.measure(state)),
    sample: (state) => {
      const model = drawable(outcome.modelOf(resultOf(state)));
      return drawSheet({ model, sampler, prompts, sample, size, signal: context.signal });
    },
    async export(weights, last) {
      if (last !== undefined) await outcome.write(last, "last");
      return [await outcome.write(weights, "result")];
    },
    async dispose() {
      await loss.dispose();
      await judge?.dispose();
    },
  };
}
