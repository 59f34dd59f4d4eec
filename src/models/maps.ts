import { reshape, transpose } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";

/** Feature maps `[channels, batch, height, width]` as tokens `[batch * height * width, channels]`. */
export function tokensOf(maps: Value): Value {
  const [channels, batch, height, width] = maps.shape as [number, number, number, number];
  return transpose(reshape(maps, [channels, batch * height * width]), [1, 0]);
}

/** Tokens `[batch * height * width, channels]` as feature maps `[channels, batch, height, width]`. */
export function mapsOf(tokens: Value, batch: number, height: number, width: number): Value {
  return reshape(transpose(tokens, [1, 0]), [tokens.shape[1]!, batch, height, width]);
}

/** `[batch, channels, height, width]`, as people hand latents over, as maps with the channels first, and back. */
export function swapBatchAndChannels(x: Value): Value {
  return transpose(x, [1, 0, 2, 3]);
}

/** A vector per picture `[batch, channels]` as maps `[channels, batch, 1, 1]` that broadcast over positions. */
export function vectorsAsMaps(vectors: Value): Value {
  const [batch, channels] = vectors.shape as [number, number];
  return reshape(transpose(vectors, [1, 0]), [channels, batch, 1, 1]);
}
