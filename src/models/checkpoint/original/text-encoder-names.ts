import type { OriginalTensor } from "./original-tensor.ts";

/** Names of OpenCLIP outside the layers, by transformers' names. */
const openClipOuter: Readonly<Record<string, OriginalTensor>> = {
  "text_model.embeddings.token_embedding.weight": { key: "token_embedding.weight" },
  "text_model.embeddings.position_embedding.weight": { key: "positional_embedding" },
  "text_model.final_layer_norm.weight": { key: "ln_final.weight" },
  "text_model.final_layer_norm.bias": { key: "ln_final.bias" },
  // A matrix that multiplies from the right there.
  "text_projection.weight": { key: "text_projection", transposed: true },
};

/** Names of OpenCLIP inside a layer. */
const openClipInner: Readonly<Record<string, string>> = {
  layer_norm1: "ln_1",
  layer_norm2: "ln_2",
  "mlp.fc1": "mlp.c_fc",
  "mlp.fc2": "mlp.c_proj",
  "self_attn.out_proj": "attn.out_proj",
};

/** The three projections of attention, in the order in which OpenCLIP stacks them in one tensor. */
const stacked = ["q_proj", "k_proj", "v_proj"] as const;

/** The name of a text encoder's parameter in OpenCLIP, and which part of that tensor it is; undefined when it has none. */
export function openClipTensor(parameter: string): OriginalTensor | undefined {
  const layer = /^text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(parameter);
  if (layer === null) return openClipOuter[parameter];
  const [, number, path = "", kind] = layer;
  const place = `transformer.resblocks.${number}`;
  const third = stacked.findIndex((name) => path === `self_attn.${name}`);
  if (third >= 0) return { key: `${place}.attn.in_proj_${kind}`, third };
  const inner = openClipInner[path];
  return inner === undefined ? undefined : { key: `${place}.${inner}.${kind}` };
}
