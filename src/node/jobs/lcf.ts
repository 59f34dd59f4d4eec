import { consistencyDistance } from "../../training/config/consistency.ts";
import type { LcfTrainingConfig } from "../../training/config/lcf.ts";
import type { Batch } from "../../training/engine.ts";
import { firstValues } from "../../training/initialise.ts";
import { fineTuningBatch, fineTuningLoss } from "../../training/lcf.ts";
import { TrainableParameters } from "../../training/parameters.ts";
import { fullRoles, loraRoles } from "../../training/roles.ts";
import { assembleJob } from "./assemble.ts";
import { measureSeed } from "./captioned-set.ts";
import type { JobContext } from "./context.ts";
import type { CaptionedLatents } from "./latent-batches.ts";
import { consistencyScheduler } from "./model-configs.ts";
import { adapterOutcome, unetOutcome } from "./outcomes.ts";
import { type OverBase, prepareOverBase, requireParameters, requirePlain } from "./over-base.ts";
import { skipOptions } from "./skip-options.ts";
import { hashTensors } from "./sources.ts";
import {
  readStartAdapter,
  type StartValues,
  startFromAdapter,
  startFromBase,
  startFromMerged,
} from "./start-values.ts";
import type { TrainingJob } from "./training-job.ts";

/**
 * Latent consistency fine-tuning: an acceleration vector or a full consistency model learns the pictures without a teacher.
 * A full model keeps the guidance as an input where the base has it.
 * @throws UsageError when pictures, base or start are missing or do not fit; CheckpointError when the base is no model
 */
export async function lcfJob(config: LcfTrainingConfig, context: JobContext): Promise<TrainingJob> {
  const { method, rank, alpha, targets, averagedTarget, seed, base, ddimSteps } = config;
  const over = await prepareOverBase(config, 0, context);
  const { model, pictures, set, shape, frozen, text } = over;
  const full = method === "full";
  if (!full) requirePlain(model, base, "training an adapter");
  const { unet } = model;

  const trainable = new TrainableParameters();
  const { student, target } = full
    ? fullRoles(frozen, unet.config, trainable, shape.batch)
    : loraRoles(frozen, unet.config, trainable, { rank, alpha, targets, averagedTarget });
  const loss = fineTuningLoss(student, target, unet.config, text, consistencyDistance(config), shape);
  const objective = { loss, metrics: {}, parameters: trainable.list() };
  requireParameters(objective, targets, base);

  const start = await startOf(config, over);
  const options = skipOptions(config, model.scheduler, full ? unet.config.guidanceWidth : undefined);
  const batches = (parts: readonly CaptionedLatents[], from: number, step: number): Batch[] =>
    parts.map(({ latents, tokens }, part) => fineTuningBatch({ ...options, seed: from }, latents, tokens, step, part));
  const scheduler = consistencyScheduler(model.scheduler, ddimSteps);
  return assembleJob(
    config,
    {
      objective,
      initial: firstValues(objective.parameters, seed, start.values),
      sources: { ...over.sources, ...start.sources },
      outcome: full
        ? unetOutcome(model, objective, unet, scheduler, context.folder)
        : adapterOutcome(model, objective, alpha, scheduler, context.folder),
      sampler: "lcm",
      records: pictures.entries,
      batchAt: (step) => batches(set.at(step), seed, step),
      measures: { fixedLoss: () => batches(set.fixed(), measureSeed(seed), 0) },
    },
    context,
  );
}

interface Start {
  readonly values: StartValues | undefined;
  readonly sources: Readonly<Record<string, string>>;
}

/** What the student begins as: the base, with an acceleration vector where the config names one. */
async function startOf(config: LcfTrainingConfig, { model }: OverBase): Promise<Start> {
  const full = config.method === "full";
  const { tensors } = model.unet;
  if (config.start === "none") return { values: full ? startFromBase(tensors) : undefined, sources: {} };
  const adapter = await readStartAdapter(config.start, model);
  const asAdapter = new Map(
    adapter.modules.flatMap(({ path, down, up }) => [
      [`${path}.down`, down],
      [`${path}.up`, up],
    ]),
  );
  return {
    values: full ? startFromMerged(tensors, adapter) : startFromAdapter(adapter, config),
    sources: { start: hashTensors(asAdapter) },
  };
}
