import type { ModelFamily } from "./family.ts";
import { autoencoder, betas, clipLarge, unetCommon } from "./parts.ts";

/** Stable Diffusion 1.1 to 1.5, whose layers are the same, and all that was trained on from them. */
export const stableDiffusion1: ModelFamily = {
  name: "Stable Diffusion 1.5",
  pipeline: "StableDiffusionPipeline",
  unet: {
    ...unetCommon,
    attention_head_dim: 8,
    block_out_channels: [320, 640, 1280, 1280],
    cross_attention_dim: 768,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    sample_size: 64,
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  },
  autoencoder,
  textEncoders: [{ config: clipLarge, original: [{ prefix: "cond_stage_model.transformer.", names: "transformers" }] }],
  scheduler: {
    _class_name: "PNDMScheduler",
    ...betas,
    clip_sample: false,
    prediction_type: "epsilon",
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
  },
  zerosForEmptyPrompt: false,
  prediction: "fixed",
};
