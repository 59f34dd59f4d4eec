/** Pieces of keys that only adapters of models with transformers for U-Nets have, and how these models are called. */
const signs: readonly (readonly [RegExp, string])[] = [
  [/(?:^|[._])double_blocks[._]\d|(?:^|[._])single_blocks[._]\d|single_transformer_blocks[._]\d/, "Flux"],
  [/(?:^|[._])joint_blocks[._]\d/, "Stable Diffusion 3"],
  [/transformer_blocks[._]\d+[._](?:attn[._]add_[qkv]_proj|ff_context)/, "Stable Diffusion 3"],
  [/(?:^|[._])(?:transformer_)?blocks[._]\d+[._](?:self_attn|cross_attn)[._](?:q|k|v|o)\b/, "Wan"],
];

/** The kind of model that an adapter was made for, where its keys are certain of it and no model of here is of that kind. */
export function foreignBase(keys: readonly string[]): string | undefined {
  for (const [sign, base] of signs) {
    if (keys.some((key) => sign.test(key))) return base;
  }
  return undefined;
}
