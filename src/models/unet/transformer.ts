import { add, mul } from "../../graph/ops/arithmetic.ts";
import { type AttentionOptions, attention } from "../../graph/ops/attention.ts";
import { gelu } from "../../graph/ops/elementwise.ts";
import { columns } from "../../graph/ops/product.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../layers.ts";
import { mapsOf, tokensOf } from "../maps.ts";

export interface TransformerOptions {
  readonly heads: number;
  readonly depth: number;
  readonly groups: number;
  readonly linearProjection: boolean;
  /** Text `[batch * tokens, contextWidth]`. */
  readonly context: Value;
  /** Whether scores are computed in float32, whatever the element type. */
  readonly upcast: boolean;
}

/** How the tokens of each picture look at one another. */
type Heads = Pick<AttentionOptions, "heads" | "batch" | "upcast">;

/** Queries from x, keys and values from `context`. Tokens in, tokens out. */
function attend(layers: Layers, x: Value, context: Value, heads: Heads): Value {
  const width = x.shape[1]!;
  const q = layers.linear("to_q", x, width, false);
  const k = layers.linear("to_k", context, width, false);
  const v = layers.linear("to_v", context, width, false);
  return layers.linear("to_out.0", attention(q, k, v, heads), width);
}

/** Gated feed-forward: (W1 x) * gelu(W2 x), four times as wide, and back. */
function feedForward(layers: Layers, x: Value): Value {
  const width = x.shape[1]!;
  const both = layers.linear("net.0.proj", x, 8 * width);
  const gated = mul(columns(both, 0, 4 * width), gelu(columns(both, 4 * width, 8 * width)));
  return layers.linear("net.2", gated, width);
}

/** Self-attention, attention to the text, feed-forward: each normalised and added. */
function block(layers: Layers, x: Value, context: Value, heads: Heads): Value {
  const self = layers.layerNorm("norm1", x, 1e-5);
  let hidden = add(attend(layers.at("attn1"), self, self, heads), x);
  hidden = add(attend(layers.at("attn2"), layers.layerNorm("norm2", hidden, 1e-5), context, heads), hidden);
  return add(feedForward(layers.at("ff"), layers.layerNorm("norm3", hidden, 1e-5)), hidden);
}

/** diffusers' Transformer2DModel: maps to tokens, `depth` blocks, and back, beside a shortcut. */
export function transformer(layers: Layers, x: Value, options: TransformerOptions): Value {
  const { heads, depth, groups, linearProjection, context, upcast } = options;
  const [channels, batch, height, width] = x.shape as [number, number, number, number];
  return within("transformer", () => {
    const normal = layers.groupNorm("norm", x, { groups, epsilon: 1e-6 });
    let tokens = linearProjection
      ? layers.linear("proj_in", tokensOf(normal), channels)
      : tokensOf(layers.conv("proj_in", normal, channels));
    for (let i = 0; i < depth; i++) {
      tokens = block(layers.at(`transformer_blocks.${i}`), tokens, context, { heads, batch, upcast });
    }
    const result = linearProjection
      ? mapsOf(layers.linear("proj_out", tokens, channels), batch, height, width)
      : layers.conv("proj_out", mapsOf(tokens, batch, height, width), channels);
    return add(result, x);
  });
}
