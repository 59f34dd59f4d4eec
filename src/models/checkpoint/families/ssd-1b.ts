import type { ModelFamily } from "./family.ts";
import { stableDiffusionXl } from "./stable-diffusion-xl.ts";

/** SSD-1B: Stable Diffusion XL with half of its transformer layers taken out, and no attention in the middle. */
export const ssd1b: ModelFamily = {
  ...stableDiffusionXl,
  name: "SSD-1B",
  unet: {
    ...stableDiffusionXl.unet,
    mid_block_type: "UNetMidBlock2D",
    reverse_transformer_layers_per_block: [[4, 4, 10], [2, 1, 1], 1],
    transformer_layers_per_block: [[1], [2, 2], [4, 4]],
  },
};
