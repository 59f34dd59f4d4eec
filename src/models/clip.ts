import { z } from "zod";
import { add, mul, scale } from "../graph/ops/arithmetic.ts";
import { expand, gather, reshape, slice } from "../graph/ops/structure.ts";
import { constant, type Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";
import { clipLayer } from "./clip-layer.ts";
import { parseConfig } from "./config.ts";
import type { Layers } from "./layers.ts";

/** What transformers assumes where a configuration says nothing: the end of text of CLIP's own vocabulary. */
const usualEndToken = 49407;

const schema = z.object({
  architectures: z.array(z.string()).nullish(),
  vocab_size: z.number().int().positive().default(49408),
  hidden_size: z.number().int().positive().default(512),
  intermediate_size: z.number().int().positive().default(2048),
  num_hidden_layers: z.number().int().positive().default(12),
  num_attention_heads: z.number().int().positive().default(8),
  max_position_embeddings: z.number().int().positive().default(77),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  projection_dim: z.number().int().positive().default(512),
  eos_token_id: z.number().int().nullish(),
});

/** `text_encoder/config.json` of transformers' CLIPTextModel or CLIPTextModelWithProjection. */
export interface ClipTextConfig {
  readonly vocabulary: number;
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly positions: number;
  readonly activation: "quick_gelu" | "gelu";
  readonly epsilon: number;
  /** Width of the projected pooled text; undefined for models without a projection. */
  readonly projectionWidth: number | undefined;
  /** Number of the token that ends a text, as the configuration has it: 2 in old ones, whatever the vocabulary says. */
  readonly endToken: number;
}

/** @throws CheckpointError naming the key and what is understood */
export function clipTextConfig(json: unknown): ClipTextConfig {
  const config = parseConfig("text_encoder/config.json", schema, json);
  return {
    vocabulary: config.vocab_size,
    width: config.hidden_size,
    innerWidth: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    positions: config.max_position_embeddings,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    projectionWidth: config.architectures?.includes("CLIPTextModelWithProjection") ? config.projection_dim : undefined,
    endToken: config.eos_token_id ?? usualEndToken,
  };
}

export interface ClipTextOutput {
  /** After the embeddings and after each layer, without the final normalisation: each `[batch * tokens, width]`. */
  readonly hiddenStates: readonly Value[];
  /** The last of them, normalised: `[batch * tokens, width]`. */
  readonly lastHiddenState: Value;
}

/** Minus infinity above the diagonal, as a number that softmax turns into zero: `[1, 1, tokens, tokens]`. */
function causalMask(tokens: number): Value {
  const data = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? -1e9 : 0,
  );
  return constant({ type: "float32", shape: [1, 1, tokens, tokens], data });
}

/** Vectors that stand in for the embeddings of some tokens, as textual inversion has them. */
export interface LearnedTokens {
  /** `[batch * tokens, 1]`: 1 where the embedding of the vocabulary counts, 0 where a vector does. */
  readonly kept: Value;
  /** `[batch * tokens, width]`: the vectors, and zeros elsewhere. */
  readonly vectors: Value;
}

/** Minus infinity where a token is hidden: `[batch, 1, 1, tokens]`. */
function hidingMask(hidden: Value): Value {
  const [batch, tokens] = hidden.shape as [number, number];
  return reshape(scale(hidden, -1e9), [batch, 1, 1, tokens]);
}

/**
 * transformers' CLIPTextModel.
 * @param ids token numbers `[batch, tokens]` (int64 or int32), no more tokens than the configuration's positions
 * @param hidden `[batch, tokens]`: 1 for tokens that none looks at, 0 for others; the complement of an attention mask
 */
export function clipTextModel(
  layers: Layers,
  config: ClipTextConfig,
  ids: Value,
  learned?: LearnedTokens,
  hidden?: Value,
): ClipTextOutput {
  const { width } = config;
  const [batch, tokens] = ids.shape as [number, number];
  const model = layers.at("text_model");
  const table = model.parameter("embeddings.token_embedding.weight", [config.vocabulary, width]);
  const places = model.parameter("embeddings.position_embedding.weight", [config.positions, width]);
  const known = gather(table, reshape(ids, [batch * tokens]));
  const words = learned === undefined ? known : add(mul(known, learned.kept), learned.vectors);
  const positions = expand(reshape(slice(places, 0, 0, tokens), [1, tokens, width]), [batch, tokens, width]);
  const mask = hidden === undefined ? causalMask(tokens) : add(causalMask(tokens), hidingMask(hidden));
  let x = add(words, reshape(positions, [batch * tokens, width]));
  const hiddenStates = [x];
  for (let i = 0; i < config.layers; i++) {
    const before = x;
    x = within(`layers.${i}`, () => clipLayer(model.at(`encoder.layers.${i}`), config, before, batch, mask));
    hiddenStates.push(x);
  }
  return { hiddenStates, lastHiddenState: normalisedState(layers, config, x) };
}

/** The final normalisation, on a hidden state of any layer: `[batch * tokens, width]`. */
export function normalisedState(layers: Layers, config: ClipTextConfig, state: Value): Value {
  return layers.at("text_model").layerNorm("final_layer_norm", state, config.epsilon);
}
