import type { ModelFamily } from "../families/family.ts";

/** Keys that files of the first code hold beside a model's weights: averages of them, and numbers that models compute. */
const patterns: readonly RegExp[] = [
  /^model_ema\./,
  /^(betas|alphas_cumprod(_prev)?|logvar|scale_factor|lvlb_weights|v_pred|ztsnr)$/,
  /^(sqrt|log)_(one_minus_|recip_|recipm1_)?alphas_cumprod$/,
  /^posterior_(variance|log_variance_clipped|mean_coef[12])$/,
  /^denoiser\.(sigmas|log_sigmas)$/,
  /\.text_model\.embeddings\.position_ids$/,
  /^(cond_stage_model|conditioner\.embedders\.\d+)\.(model\.)?(logit_scale|attn_mask)$/,
  /^cond_stage_model\.transformer\.embeddings\.position_ids$/,
  /^(first_stage_model|vae)\.(loss|model_ema)\./,
];

/**
 * Whether a key of a file of the original names says nothing that a model of the family needs. OpenCLIP's last layer and
 * projection are such in Stable Diffusion 2, which stops one layer before.
 */
export function isUnusedKey(key: string, family: ModelFamily): boolean {
  if (patterns.some((pattern) => pattern.test(key))) return true;
  return family.textEncoders.some(({ config, original }) => {
    const { num_hidden_layers: layers } = config;
    const place = original.find(({ prefix, names }) => names === "openclip" && key.startsWith(prefix));
    if (place === undefined || typeof layers !== "number") return false;
    const rest = key.slice(place.prefix.length);
    return rest === "text_projection" || rest.startsWith(`transformer.resblocks.${layers}.`);
  });
}
