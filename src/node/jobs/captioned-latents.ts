import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { int64, type Tensor } from "../../tensor/tensor.ts";
import { composeBatchCaptions } from "../../training/data/batch-captions.ts";
import { createBatchOrder } from "../../training/data/batch-order.ts";
import type { PictureRecord } from "../../training/data/picture-set.ts";
import { batchOfMaps } from "./pixels.ts";

/** One micro-batch of a latent set: latents as maps `[channels, n, h, w]`, token numbers `[n, tokens]`. */
export interface CaptionedLatents {
  readonly latents: Tensor<"float32">;
  readonly tokens: Tensor<"int64">;
}

export interface LatentBatchOptions {
  readonly records: readonly PictureRecord[];
  /** One `[channels, h, w]` per record. */
  readonly latents: readonly Tensor<"float32">[];
  readonly tokenizer: ClipTokenizer;
  /** Pictures of one micro-batch. */
  readonly batch: number;
  /** Micro-batches of one step. */
  readonly parts: number;
  readonly captionDropout: number;
  readonly seed: number;
}

/** Token numbers of captions, padded: `[captions, tokens]`. */
export function tokenTensor(tokenizer: ClipTokenizer, captions: readonly string[], length: number): Tensor<"int64"> {
  return int64(
    [captions.length, length],
    captions.flatMap((caption) => [...tokenizer.encodePadded(caption, length).ids]),
  );
}

/** Gives the micro-batches of any step: pictures in a fresh order each epoch, captions composed anew each time. */
export function latentBatches(options: LatentBatchOptions): (step: number) => readonly CaptionedLatents[] {
  const { records, latents, tokenizer, batch, parts, captionDropout, seed } = options;
  const order = createBatchOrder(seed, records.length);
  return (step) => {
    const indices = order(step, batch * parts);
    const captions = composeBatchCaptions(
      indices.map((i) => records[i]!),
      seed,
      step,
      captionDropout,
    );
    return Array.from({ length: parts }, (_, part) => {
      const from = part * batch;
      return {
        latents: batchOfMaps(indices.slice(from, from + batch).map((i) => latents[i]!)),
        tokens: tokenTensor(tokenizer, captions.slice(from, from + batch), tokenizer.maxLength),
      };
    });
  };
}
