import { z } from "zod";
import { add } from "../graph/ops/arithmetic.ts";
import { convolution } from "../graph/ops/convolution.ts";
import { concat, expand, reshape, slice, transpose } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";
import { type ClipLayerConfig, clipLayer } from "./clip-layer.ts";
import { parseConfig } from "./config.ts";
import type { Layers } from "./layers.ts";

const schema = z.object({
  hidden_size: z.number().int().positive().default(768),
  intermediate_size: z.number().int().positive().default(3072),
  num_hidden_layers: z.number().int().positive().default(12),
  num_attention_heads: z.number().int().positive().default(12),
  image_size: z.number().int().positive().default(224),
  patch_size: z.number().int().positive().default(32),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  projection_dim: z.number().int().positive().default(512),
});

/** `vision_config` of transformers' CLIPModel, or the configuration of a CLIPVisionModelWithProjection. */
export interface ClipVisionConfig extends ClipLayerConfig {
  readonly layers: number;
  /** Height and width of the pictures. */
  readonly size: number;
  /** Height and width of a patch, which is one token. */
  readonly patch: number;
  readonly projectionWidth: number;
}

/** @throws CheckpointError naming the key and what is understood */
export function clipVisionConfig(json: unknown, file = "config.json"): ClipVisionConfig {
  const config = parseConfig(file, schema, json);
  return {
    width: config.hidden_size,
    innerWidth: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    size: config.image_size,
    patch: config.patch_size,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    projectionWidth: config.projection_dim,
  };
}

/**
 * transformers' CLIPVisionModelWithProjection: one vector for each picture, `[batch, projectionWidth]`, not normalised.
 * @param pictures `[batch, 3, size, size]`, normalised as CLIP's
 * @throws ShapeError
 */
export function clipVisionModel(layers: Layers, config: ClipVisionConfig, pictures: Value): Value {
  const { width, patch, size, epsilon } = config;
  const batch = pictures.shape[0]!;
  const side = Math.floor(size / patch);
  const patches = side * side;
  const tokens = patches + 1;
  const model = layers.at("vision_model");
  const embeddings = model.at("embeddings");
  const kernels = embeddings.parameter("patch_embedding.weight", [width, 3, patch, patch]);
  const maps = convolution(pictures, kernels, { strides: [patch, patch] });
  const cells = transpose(reshape(maps, [batch, width, patches]), [0, 2, 1]);
  const whole = expand(reshape(embeddings.parameter("class_embedding", [width]), [1, 1, width]), [batch, 1, width]);
  const places = embeddings.parameter("position_embedding.weight", [tokens, width]);
  const embedded = add(concat([whole, cells], 1), reshape(places, [1, tokens, width]));
  let x = model.layerNorm("pre_layrnorm", reshape(embedded, [batch * tokens, width]), epsilon);
  for (let i = 0; i < config.layers; i++)
    x = within(`layers.${i}`, () => clipLayer(model.at(`encoder.layers.${i}`), config, x, batch));
  const first = reshape(slice(reshape(x, [batch, tokens, width]), 1, 0, 1), [batch, width]);
  return layers.linear(
    "visual_projection",
    model.layerNorm("post_layernorm", first, epsilon),
    config.projectionWidth,
    false,
  );
}
