import { originalUNetPaths } from "../../models/checkpoint/original/unet-names.ts";
import type { ModuleShape } from "../targets.ts";
import { type Dialect, spellEach } from "./dialect.ts";

const dotted = spellEach((path) => path);

/** Dotted paths with PEFT's `lora_A` and `lora_B`; alpha stands in the metadata or in `adapter_config.json`. */
export const peft: Dialect = {
  name: "peft",
  writtenBy: "PEFT, diffusers since 0.22",
  beginnings: {
    "": "unet",
    "unet.": "unet",
    "base_model.model.": "unet",
    "base_model.model.unet.": "unet",
    "unet.base_model.model.": "unet",
    "diffusion_model.": "unet",
    "text_encoder.": "textEncoder",
    "text_encoder_2.": "textEncoder2",
    "base_model.model.text_model.": "textEncoder",
  },
  endings: {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_A.default_0.weight": "down",
    ".lora_B.default_0.weight": "up",
    ".alpha": "alpha",
  },
  spell: (modules: readonly ModuleShape[]): ReadonlyMap<string, string> => {
    const spellings = new Map(dotted(modules));
    for (const [path, ldm] of originalUNetPaths(modules.map(({ path }) => path)))
      if (!spellings.has(ldm)) spellings.set(ldm, path);
    return spellings;
  },
};
