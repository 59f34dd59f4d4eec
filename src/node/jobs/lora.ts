import { loraRule } from "../../adapters/lora-rule.ts";
import { layers } from "../../models/layers.ts";
import type { LoraTrainingConfig } from "../../training/config/lora.ts";
import { denoiseLoss } from "../../training/denoise.ts";
import { firstValues } from "../../training/initialise.ts";
import { TrainableParameters } from "../../training/parameters.ts";
import { loraPrefix } from "../../training/roles.ts";
import { assembleJob } from "./assemble.ts";
import type { JobContext } from "./context.ts";
import { denoisingBatches } from "./denoising.ts";
import { adapterOutcome } from "./outcomes.ts";
import { prepareOverBase, requireParameters, requirePlain } from "./over-base.ts";
import type { TrainingJob } from "./training-job.ts";

/**
 * A style vector: an adapter over a frozen base that learns to draw the pictures. The result is one file.
 * @throws UsageError when pictures or base are missing or do not fit; CheckpointError when the base is no model
 */
export async function loraJob(config: LoraTrainingConfig, context: JobContext): Promise<TrainingJob> {
  const { rank, alpha, targets, seed } = config;
  const over = await prepareOverBase(config, config.captionDropout, context);
  const { model, pictures, set, shape, frozen, text, sources } = over;
  requirePlain(model, config.base, "training a style");
  const trainable = new TrainableParameters();
  // The product of the factors is added to the weight: with whole batches that is cheaper than a branch beside it.
  const rule = loraRule(trainable.source(loraPrefix), { rank, alpha, targets, form: "weight" });
  const loss = denoiseLoss(layers(frozen, rule), model.unet.config, text, shape);
  const objective = { loss, metrics: {}, parameters: trainable.list() };
  requireParameters(objective, targets, config.base);
  return assembleJob(
    config,
    {
      objective,
      initial: firstValues(objective.parameters, seed),
      sources,
      outcome: adapterOutcome(model, objective, alpha, model.scheduler, context.folder),
      sampler: "ddim",
      records: pictures.entries,
      ...denoisingBatches(config, model.scheduler, set),
    },
    context,
  );
}
