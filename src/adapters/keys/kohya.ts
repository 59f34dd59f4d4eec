import { originalUNetPaths } from "../../models/checkpoint/original/unet-names.ts";
import type { ModuleShape } from "../targets.ts";
import { type Dialect, spellEach } from "./dialect.ts";

const underscored = spellEach((path) => path.replaceAll(".", "_"));

/** Paths with underscores for dots; those of SDXL often by Stable Diffusion's first names. Published LCM-LoRAs use it. */
export const kohya: Dialect = {
  name: "kohya",
  writtenBy: "sd-scripts, the LCM-LoRA authors, most web user interfaces",
  beginnings: {
    lora_unet_: "unet",
    lora_unet_unet_: "unet",
    lora_te_: "textEncoder",
    lora_te1_: "textEncoder",
    lora_te2_: "textEncoder2",
    lora_unet_text_encoder_: "textEncoder",
  },
  endings: {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
    "_lora_down.weight": "down",
    "_lora_up.weight": "up",
    _alpha: "alpha",
  },
  spell: (modules: readonly ModuleShape[]): ReadonlyMap<string, string> => {
    const spellings = new Map(underscored(modules));
    for (const [path, ldm] of originalUNetPaths(modules.map(({ path }) => path))) {
      const spelling = ldm.replaceAll(".", "_");
      if (!spellings.has(spelling)) spellings.set(spelling, path);
    }
    return spellings;
  },
};
