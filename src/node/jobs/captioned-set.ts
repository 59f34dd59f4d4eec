import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import type { JobContext } from "./context.ts";
import { type CaptionedBatches, type CaptionedLatents, latentBatches } from "./latent-batches.ts";
import { encodeTrainingPictures } from "./latents.ts";
import type { MemoryAutoencoder } from "./memory-model.ts";
import type { TrainingPictures } from "./pictures.ts";

/** The latents and captions that a run draws its batches from. */
export interface CaptionedSet {
  readonly at: CaptionedBatches;
  /** Some micro-batches that never change, every caption kept, for measures. */
  readonly fixed: () => readonly CaptionedLatents[];
}

/** How pictures become latents, and captions become numbers. */
export interface CaptionedSetOptions {
  readonly autoencoder: MemoryAutoencoder;
  readonly tokenizer: ClipTokenizer;
  /** Tokens of a caption, padding included. */
  readonly tokens: number;
  /** Probability that a caption is left out. */
  readonly captionDropout: number;
}

/** Pictures that a measure looks at, about. */
const picturesOfMeasure = 64;

/** The seed of measures: another one than that of training, so that no step trains on a measure's noise. */
export function measureSeed(seed: number): number {
  return (seed + 1) % 2 ** 32;
}

/** Encodes the pictures of a run, or takes their latents from its cache. */
export async function captionedSet(
  config: CommonConfig,
  pictures: TrainingPictures,
  { autoencoder, tokenizer, tokens, captionDropout }: CaptionedSetOptions,
  context: JobContext,
): Promise<CaptionedSet> {
  const { size, flip, batchSize, accumulate, seed } = config;
  const latents = await encodeTrainingPictures({ pictures, autoencoder, size, flip }, context);
  const options = { records: pictures.entries, latents, tokenizer, tokens };
  const measured = Math.max(1, Math.round(picturesOfMeasure / batchSize));
  const fixed = latentBatches(
    { batchSize, accumulate: measured, flip: false },
    { ...options, captionDropout: 0, seed: measureSeed(seed) },
  );
  return {
    at: latentBatches({ batchSize, accumulate, flip }, { ...options, captionDropout, seed }),
    fixed: () => fixed(0),
  };
}

/** The same batches with each picture's caption given to the one before it. */
export function shiftCaptions(batches: readonly CaptionedLatents[]): CaptionedLatents[] {
  const width = batches[0]!.tokens.shape[1]!;
  const rows = batches.flatMap(({ tokens }) =>
    Array.from({ length: tokens.shape[0]! }, (_, i) => tokens.data.slice(i * width, (i + 1) * width)),
  );
  let next = 1;
  return batches.map(({ latents, tokens }) => {
    const data = new BigInt64Array(tokens.data.length);
    for (let i = 0; i < tokens.shape[0]!; i++) data.set(rows[next++ % rows.length]!, i * width);
    return { latents, tokens: { ...tokens, data } };
  });
}
