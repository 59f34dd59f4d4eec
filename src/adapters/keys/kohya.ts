import { originalUNetPaths } from "../../models/checkpoint/original/unet-names.ts";
import type { ModuleShape } from "../targets.ts";
import { type Dialect, spellEach, withoutTextModel } from "./dialect.ts";
import { lycorisEndings } from "./endings.ts";

const underscored = spellEach(
  (path) => path.replaceAll(".", "_"),
  (path) => withoutTextModel(path)?.replaceAll(".", "_"),
);

/**
 * Paths with underscores for dots; those of SDXL often by Stable Diffusion's first names. Published LCM-LoRAs use it, and
 * LyCORIS with endings of its own.
 */
export const kohya: Dialect = {
  name: "kohya",
  writtenBy: "sd-scripts, the LCM-LoRA authors, most web user interfaces, LyCORIS",
  beginnings: {
    unet: ["lora_unet_", "lora_unet_unet_", "lycoris_", "lycoris_unet_"],
    textEncoder: ["lora_te_", "lora_te1_", "lora_unet_text_encoder_", "lycoris_te_", "lycoris_text_encoder_"],
    textEncoder2: ["lora_te2_", "lora_unet_text_encoder_2_"],
  },
  endings: {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
    "_lora_down.weight": "down",
    "_lora_up.weight": "up",
    _alpha: "alpha",
    ...lycorisEndings,
    // Of an IA3.
    ".weight": "factor",
    ".on_input": "factorOnInput",
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
