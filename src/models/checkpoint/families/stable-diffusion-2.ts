import type { ModelFamily } from "./family.ts";
import { autoencoder, betas, clipLarge, unetCommon } from "./parts.ts";

/**
 * Stable Diffusion 2.0 and 2.1. The layers of the 512-pixel base models, which predict noise, and of the 768-pixel models,
 * which predict v, are the same; here are the settings of 2.1 at 768 pixels.
 */
export const stableDiffusion2: ModelFamily = {
  name: "Stable Diffusion 2.1",
  pipeline: "StableDiffusionPipeline",
  unet: {
    ...unetCommon,
    attention_head_dim: [5, 10, 20, 20],
    block_out_channels: [320, 640, 1280, 1280],
    cross_attention_dim: 1024,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    dual_cross_attention: false,
    num_class_embeds: null,
    only_cross_attention: false,
    sample_size: 96,
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    upcast_attention: true,
    use_linear_projection: true,
  },
  autoencoder: { ...autoencoder, sample_size: 768 },
  textEncoders: [
    {
      // OpenCLIP ViT-H/14, left before its last layer: the file has 24, and diffusers keeps 23.
      config: {
        ...clipLarge,
        hidden_act: "gelu",
        hidden_size: 1024,
        intermediate_size: 4096,
        num_attention_heads: 16,
        num_hidden_layers: 23,
        projection_dim: 512,
      },
      original: [
        { prefix: "cond_stage_model.model.", names: "openclip" },
        { prefix: "conditioner.embedders.0.model.", names: "openclip" },
      ],
      padToken: "!",
    },
  ],
  scheduler: {
    _class_name: "DDIMScheduler",
    ...betas,
    clip_sample: false,
    prediction_type: "v_prediction",
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
  },
  zerosForEmptyPrompt: false,
  prediction: "by-bias",
};
