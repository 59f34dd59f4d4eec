import type { Value } from "../graph/value.ts";
import { type ClipTextConfig, clipTextModel } from "../models/clip.ts";
import type { Layers } from "../models/layers.ts";

/** What the U-Net looks at: hidden states `[batch * tokens, width]` of token ids `[batch, tokens]` (int64). */
export type TextEncoding = (tokens: Value) => Value;

/** CLIP's last hidden state, as Stable Diffusion 1.x reads it. */
export function clipEncoding(layers: Layers, config: ClipTextConfig): TextEncoding {
  return (tokens) => clipTextModel(layers, config, tokens).lastHiddenState;
}
