import { z } from "zod";
import { add } from "../graph/ops/arithmetic.ts";
import { attention } from "../graph/ops/attention.ts";
import { gelu, quickGelu } from "../graph/ops/elementwise.ts";
import { expand, gather, reshape, slice } from "../graph/ops/structure.ts";
import { constant, type Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";
import { parseConfig } from "./config.ts";
import type { Layers } from "./layers.ts";

const schema = z.object({
  vocab_size: z.number().int().positive().default(49408),
  hidden_size: z.number().int().positive().default(512),
  intermediate_size: z.number().int().positive().default(2048),
  num_hidden_layers: z.number().int().positive().default(12),
  num_attention_heads: z.number().int().positive().default(8),
  max_position_embeddings: z.number().int().positive().default(77),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  eos_token_id: z.number().int().nullish(),
});

/** `text_encoder/config.json` of transformers' CLIPTextModel. */
export interface ClipTextConfig {
  readonly vocabulary: number;
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly positions: number;
  readonly activation: "quick_gelu" | "gelu";
  readonly epsilon: number;
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

/**
 * transformers' CLIPTextModel.
 * @param ids token numbers `[batch, tokens]` (int64 or int32), no more tokens than the configuration's positions
 */
export function clipTextModel(layers: Layers, config: ClipTextConfig, ids: Value): ClipTextOutput {
  const { width, heads, epsilon } = config;
  const [batch, tokens] = ids.shape as [number, number];
  const model = layers.at("text_model");
  const activate = config.activation === "gelu" ? gelu : quickGelu;
  const table = model.parameter("embeddings.token_embedding.weight", [config.vocabulary, width]);
  const places = model.parameter("embeddings.position_embedding.weight", [config.positions, width]);
  const words = gather(table, reshape(ids, [batch * tokens]));
  const positions = expand(reshape(slice(places, 0, 0, tokens), [1, tokens, width]), [batch, tokens, width]);
  const mask = causalMask(tokens);
  let x = add(words, reshape(positions, [batch * tokens, width]));
  const hiddenStates = [x];
  for (let i = 0; i < config.layers; i++) {
    const before = x;
    x = within(`layers.${i}`, () => {
      const layer = model.at(`encoder.layers.${i}`);
      const attend = layer.at("self_attn");
      const normal = layer.layerNorm("layer_norm1", before, epsilon);
      const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => attend.linear(name, normal, width)) as [
        Value,
        Value,
        Value,
      ];
      const hidden = add(before, attend.linear("out_proj", attention(q, k, v, { heads, batch, mask }), width));
      const inner = activate(
        layer.linear("mlp.fc1", layer.layerNorm("layer_norm2", hidden, epsilon), config.innerWidth),
      );
      return add(hidden, layer.linear("mlp.fc2", inner, width));
    });
    hiddenStates.push(x);
  }
  return { hiddenStates, lastHiddenState: model.layerNorm("final_layer_norm", x, epsilon) };
}
