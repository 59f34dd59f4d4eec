import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { counterUniform } from "../../tensor/random/counter.ts";
import { int64, type Tensor } from "../../tensor/tensor.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import { composeBatchCaptions } from "../../training/data/batch-captions.ts";
import { createBatchOrder } from "../../training/data/batch-order.ts";
import type { PictureRecord } from "../../training/data/picture-set.ts";
import type { TrainingLatents } from "./latents.ts";

/** One micro-batch of a latent set: latents as maps `[channels, n, h, w]`, token numbers `[n, tokens]`. */
export interface CaptionedLatents {
  readonly latents: Tensor<"float32">;
  readonly tokens: Tensor<"int64">;
}

export interface LatentBatchOptions {
  readonly records: readonly PictureRecord[];
  readonly latents: TrainingLatents;
  readonly tokenizer: ClipTokenizer;
  /** Tokens of a caption, padding included. */
  readonly tokens: number;
  /** Probability that a caption is left out. */
  readonly captionDropout: number;
  readonly seed: number;
}

/** The micro-batches of a step. */
export type CaptionedBatches = (step: number) => readonly CaptionedLatents[];

/** Token numbers of captions, padded or cut to `length`: `[captions, length]`. */
export function tokenTensor(tokenizer: ClipTokenizer, captions: readonly string[], length: number): Tensor<"int64"> {
  return int64(
    [captions.length, length],
    captions.flatMap((caption) => [...tokenizer.encodePadded(caption, length).ids]),
  );
}

/** Which of a step's pictures are mirrored: each with probability 1/2, or none. */
export function mirroredAt(seed: number, step: number, count: number, flip: boolean): boolean[] {
  if (!flip) return new Array<boolean>(count).fill(false);
  return Array.from(counterUniform(seed, "mirrored", step, count), (u) => u < 0.5);
}

/** Gives the micro-batches of any step: pictures in a fresh order each epoch, captions composed anew each time. */
export function latentBatches(
  { batchSize, accumulate, flip }: Pick<CommonConfig, "batchSize" | "accumulate" | "flip">,
  { records, latents, tokenizer, tokens, captionDropout, seed }: LatentBatchOptions,
): CaptionedBatches {
  const order = createBatchOrder(seed, records.length);
  const count = batchSize * accumulate;
  return (step) => {
    const indices = order(step, count);
    const members = indices.map((index) => records[index]!);
    const captions = composeBatchCaptions(members, seed, step, captionDropout);
    const mirrored = mirroredAt(seed, step, count, flip);
    return Array.from({ length: accumulate }, (_, part) => {
      const range = [part * batchSize, (part + 1) * batchSize] as const;
      return {
        latents: latents.batch(indices.slice(...range), mirrored.slice(...range)),
        tokens: tokenTensor(tokenizer, captions.slice(...range), tokens),
      };
    });
  };
}
