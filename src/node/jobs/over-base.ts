import { UsageError } from "../../errors.ts";
import { tokenLimit } from "../../generate/conditioning.ts";
import { layers, type ParameterSource } from "../../models/layers.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import type { Objective } from "../../training/objective.ts";
import { frozenSource } from "../../training/parameters.ts";
import { clipEncoding, type TextEncoding } from "../../training/text.ts";
import { type CaptionedSet, captionedSet } from "./captioned-set.ts";
import type { JobContext } from "./context.ts";
import { drawable, type MemoryModel } from "./memory-model.ts";
import { latentSide, openBase } from "./open-base.ts";
import { openTrainingPictures, type TrainingPictures } from "./pictures.ts";
import type { JobSources } from "./sources.ts";

/** A frozen model and the pictures to train something over it. */
export interface OverBase {
  readonly model: MemoryModel;
  readonly pictures: TrainingPictures;
  readonly set: CaptionedSet;
  /** Micro-batch, height and width of the latents, tokens of a caption. */
  readonly shape: { readonly batch: number; readonly size: number; readonly tokens: number };
  /** The weights of the U-Net, which do not train. */
  readonly frozen: ParameterSource;
  /** The text encoder, which does not train. */
  readonly text: TextEncoding;
  readonly sources: JobSources;
}

/**
 * Reads the base and encodes the pictures.
 * @throws UsageError when a folder is missing, a size does not fit, or there are no pictures
 * @throws CheckpointError when the base is no model
 */
export async function prepareOverBase(
  config: CommonConfig & { readonly base: string },
  captionDropout: number,
  context: JobContext,
): Promise<OverBase> {
  const { model, hash } = await openBase(config.base);
  const { unet, textEncoder, autoencoder, tokenizer } = model;
  const size = latentSide(config.size, autoencoder, unet.config.down.length);
  const tokens = tokenLimit(drawable(model));
  const pictures = await openTrainingPictures(config, context);
  const set = await captionedSet(config, pictures, { autoencoder, tokenizer, tokens, captionDropout }, context);
  return {
    model,
    pictures,
    set,
    shape: { batch: config.batchSize, size, tokens },
    frozen: frozenSource(unet.tensors, `${config.base}/unet`),
    text: clipEncoding(layers(frozenSource(textEncoder.tensors, `${config.base}/text_encoder`)), textEncoder.config),
    sources: { pictures: pictures.key, base: hash },
  };
}

/**
 * Refuses a base that takes its guidance as an input, where a plain one is needed.
 * @throws UsageError naming it
 */
export function requirePlain({ unet }: MemoryModel, place: string, purpose: string): void {
  if (unet.config.guidanceWidth === undefined) return;
  throw new UsageError(
    `${place}: its U-Net takes the guidance as an input (time_cond_proj_dim), but ${purpose} needs a plain model; name the model that it was made from`,
  );
}

/** Refuses targets that name no layer of the base. @throws UsageError */
export function requireParameters({ parameters }: Objective, targets: readonly string[], place: string): void {
  if (parameters.length > 0) return;
  throw new UsageError(`"targets" (${targets.join(", ")}) name no layer of ${place}`);
}
