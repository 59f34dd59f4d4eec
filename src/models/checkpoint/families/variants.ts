import type { JsonObject } from "../../../formats/json.ts";
import type { ModelFamily } from "./family.ts";
import { betas } from "./parts.ts";

/** Width of the guidance embedding of the published latent consistency models. */
const publishedGuidanceWidth = 256;

const pipelinesOfLcms: Readonly<Record<string, string>> = { StableDiffusionPipeline: "LatentConsistencyModelPipeline" };

/** The scheduler of the published latent consistency models. */
const lcmScheduler: JsonObject = {
  _class_name: "LCMScheduler",
  ...betas,
  clip_sample: false,
  clip_sample_range: 1,
  dynamic_thresholding_ratio: 0.995,
  original_inference_steps: 50,
  prediction_type: "epsilon",
  rescale_betas_zero_snr: false,
  sample_max_value: 1,
  set_alpha_to_one: true,
  steps_offset: 0,
  thresholding: false,
  timestep_scaling: 10,
  timestep_spacing: "leading",
};

/** The full latent consistency model of a family: its U-Net takes an embedding of the guidance. */
export function lcmOf(family: ModelFamily, guidanceWidth: number = publishedGuidanceWidth): ModelFamily {
  return {
    ...family,
    name: `${family.name} LCM`,
    pipeline: pipelinesOfLcms[family.pipeline] ?? family.pipeline,
    unet: { ...family.unet, time_cond_proj_dim: guidanceWidth },
    scheduler: lcmScheduler,
    prediction: "fixed",
  };
}

/** The inpainting model of a family: its U-Net takes the mask and the masked picture's latents beside the noisy ones. */
export function inpaintingOf(family: ModelFamily): ModelFamily {
  return {
    ...family,
    name: `${family.name} inpainting`,
    pipeline: family.pipeline.replace(/Pipeline$/, "InpaintPipeline"),
    unet: { ...family.unet, in_channels: 9 },
    scheduler: { ...family.scheduler, prediction_type: "epsilon" },
    prediction: "fixed",
  };
}
