import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import type { DenoisingConfig } from "../../training/config/base.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import { denoiseBatch } from "../../training/denoise.ts";
import type { Batch } from "../../training/engine.ts";
import type { JobParts } from "./assemble.ts";
import { type CaptionedSet, measureSeed, shiftCaptions } from "./captioned-set.ts";
import type { CaptionedLatents } from "./latent-batches.ts";
import { noiseOf } from "./open-base.ts";

/**
 * The batches of training against noise, and of its measures: the loss with the right captions and with those of other
 * pictures. Until the two part, the network does not use the text.
 */
export function denoisingBatches(
  config: CommonConfig & DenoisingConfig,
  scheduler: SchedulerConfig,
  set: CaptionedSet,
): Pick<JobParts, "batchAt" | "measures"> {
  const { seed, minSnrGamma, snrFloor } = config;
  const noise = { ...noiseOf(scheduler), minSnrGamma, snrFloor };
  const batches = (parts: readonly CaptionedLatents[], from: number, step: number): Batch[] =>
    parts.map(({ latents, tokens }, part) => denoiseBatch({ ...noise, seed: from }, latents, tokens, step, part));
  const fixedSeed = measureSeed(seed);
  return {
    batchAt: (step) => batches(set.at(step), seed, step),
    measures: {
      fixedLoss: () => batches(set.fixed(), fixedSeed, 0),
      otherCaptionLoss: () => batches(shiftCaptions(set.fixed()), fixedSeed, 0),
    },
  };
}
