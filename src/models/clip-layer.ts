import { add } from "../graph/ops/arithmetic.ts";
import { attention } from "../graph/ops/attention.ts";
import { gelu, quickGelu } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import type { Layers } from "./layers.ts";

/** What a layer of either tower of CLIP must know. */
export interface ClipLayerConfig {
  readonly width: number;
  readonly innerWidth: number;
  readonly heads: number;
  readonly activation: "quick_gelu" | "gelu";
  readonly epsilon: number;
}

/**
 * One layer of a CLIP transformer: attention and two linear layers, each on normalised states and added to them.
 * @param states `[batch * tokens, width]`
 * @param mask added to the scores of attention, broadcast to `[batch, heads, tokens, tokens]`
 * @throws ShapeError
 */
export function clipLayer(layer: Layers, config: ClipLayerConfig, states: Value, batch: number, mask?: Value): Value {
  const { width, heads, epsilon } = config;
  const attend = layer.at("self_attn");
  const normal = layer.layerNorm("layer_norm1", states, epsilon);
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => attend.linear(name, normal, width)) as [
    Value,
    Value,
    Value,
  ];
  const options = mask === undefined ? { heads, batch } : { heads, batch, mask };
  const attended = add(states, attend.linear("out_proj", attention(q, k, v, options), width));
  const activate = config.activation === "gelu" ? gelu : quickGelu;
  const inner = activate(layer.linear("mlp.fc1", layer.layerNorm("layer_norm2", attended, epsilon), config.innerWidth));
  return add(attended, layer.linear("mlp.fc2", inner, width));
}
