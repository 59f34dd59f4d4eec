import { unetConfig } from "../../models/unet/config.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { consistencyDistance } from "../../training/config/consistency.ts";
import type { LcdTrainingConfig } from "../../training/config/lcd.ts";
import type { Batch } from "../../training/engine.ts";
import { firstValues } from "../../training/initialise.ts";
import { distillationBatch, distillationLoss } from "../../training/lcd.ts";
import { layoutOf } from "../../training/objective.ts";
import { TrainableParameters } from "../../training/parameters.ts";
import { fullRoles, loraRoles } from "../../training/roles.ts";
import { assembleJob } from "./assemble.ts";
import { measureSeed } from "./captioned-set.ts";
import type { JobContext } from "./context.ts";
import { type CaptionedLatents, tokenTensor } from "./latent-batches.ts";
import { consistencyScheduler, type Described } from "./model-configs.ts";
import { adapterOutcome, unetOutcome } from "./outcomes.ts";
import { prepareOverBase, requireParameters, requirePlain } from "./over-base.ts";
import { samplePrompts } from "./sample-sheet.ts";
import { skipOptions } from "./skip-options.ts";
import { startFromBase } from "./start-values.ts";
import { teacherDistance } from "./teacher-distance.ts";
import type { TrainingJob } from "./training-job.ts";

/**
 * Latent consistency distillation: an acceleration vector over the frozen teacher (one file), or a full model that takes
 * its guidance as an input (a folder of diffusers).
 * @throws UsageError when pictures or base are missing or do not fit; CheckpointError when the base is no model
 */
export async function lcdJob(config: LcdTrainingConfig, context: JobContext): Promise<TrainingJob> {
  const { method, rank, alpha, targets, averagedTarget, seed, base, ddimSteps } = config;
  const over = await prepareOverBase(config, 0, context);
  const { model, pictures, set, shape, frozen, text, sources } = over;
  requirePlain(model, base, "distillation");
  const full = method === "full";
  const guidanceWidth = full ? config.guidanceWidth : undefined;
  const json = { ...model.unet.json, ...(full ? { time_cond_proj_dim: config.guidanceWidth } : {}) };
  const student: Described<typeof model.unet.config> = { config: unetConfig(json), json };

  const trainable = new TrainableParameters();
  const roles = full
    ? fullRoles(frozen, student.config, trainable, shape.batch)
    : loraRoles(frozen, student.config, trainable, { rank, alpha, targets, averagedTarget });
  const loss = distillationLoss(roles, student.config, text, consistencyDistance(config), shape);
  const objective = { loss, metrics: {}, parameters: trainable.list() };
  requireParameters(objective, targets, base);

  const options = skipOptions(config, model.scheduler, guidanceWidth);
  const empty: Tensor<"int64"> = tokenTensor(model.tokenizer, new Array<string>(shape.batch).fill(""), shape.tokens);
  const batches = (parts: readonly CaptionedLatents[], from: number, step: number): Batch[] =>
    parts.map(({ latents, tokens }, part) =>
      distillationBatch({ ...options, seed: from }, latents, tokens, empty, step, part),
    );
  const scheduler = consistencyScheduler(model.scheduler, ddimSteps);
  const { measureEvery, measure } = config;
  const prompts = samplePrompts(measure.prompts, pictures.entries, measure.pictures);
  return assembleJob(
    config,
    {
      objective,
      initial: firstValues(objective.parameters, seed, full ? startFromBase(model.unet.tensors) : undefined),
      sources,
      outcome: full
        ? unetOutcome(model, objective, student, scheduler, context.folder)
        : adapterOutcome(model, objective, alpha, scheduler, context.folder),
      sampler: "lcm",
      records: pictures.entries,
      batchAt: (step) => batches(set.at(step), seed, step),
      // One micro-batch says where the loss goes, for less than the time of one step.
      measures: { fixedLoss: () => batches(set.fixed().slice(0, 1), measureSeed(seed), 0) },
      ...(measureEvery === 0
        ? {}
        : { judge: teacherDistance(config, over, student, layoutOf(objective), prompts, context.folder) }),
    },
    context,
  );
}
