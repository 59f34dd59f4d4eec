import type { TrainingConfigs, TrainingKind } from "../../training/config/parse.ts";
import { autoencoderJob } from "./autoencoder.ts";
import { baseJob } from "./base.ts";
import type { JobContext } from "./context.ts";
import { lcdJob } from "./lcd.ts";
import { lcfJob } from "./lcf.ts";
import { loraJob } from "./lora.ts";
import type { TrainingJob } from "./training-job.ts";

const jobs: {
  readonly [K in TrainingKind]: (config: TrainingConfigs[K], context: JobContext) => Promise<TrainingJob>;
} = { autoencoder: autoencoderJob, base: baseJob, lora: loraJob, lcd: lcdJob, lcf: lcfJob };

/**
 * Makes the job that a config describes: opens its pictures and models and encodes what can be encoded once.
 * @throws UsageError when something that the config names is missing or does not fit; CheckpointError when a model is
 * damaged or not understood
 * @throws DOMException `AbortError` once the context's signal is aborted
 */
export function prepareJob<K extends TrainingKind>(
  kind: K,
  config: TrainingConfigs[K],
  context: JobContext,
): Promise<TrainingJob> {
  return jobs[kind](config, context);
}
