import type { ModelFamily } from "./family.ts";
import { ssd1b } from "./ssd-1b.ts";
import { stableDiffusion1 } from "./stable-diffusion-1.ts";
import { stableDiffusion2 } from "./stable-diffusion-2.ts";
import { stableDiffusionXl } from "./stable-diffusion-xl.ts";

/** The published families, the oldest first; their variants are made by `lcmOf` and `inpaintingOf`. */
export const modelFamilies: readonly ModelFamily[] = [stableDiffusion1, stableDiffusion2, ssd1b, stableDiffusionXl];
