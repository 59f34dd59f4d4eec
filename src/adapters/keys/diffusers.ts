import { originalUNetPaths } from "../../models/checkpoint/original/unet-names.ts";
import type { ModuleShape } from "../targets.ts";
import { type Dialect, spellEach, withoutTextModel } from "./dialect.ts";
import { lycorisEndings } from "./endings.ts";

const dotted = spellEach((path) => path, withoutTextModel);

/** Dotted paths with `lora.down` and `lora.up`, as diffusers 0.18 to 0.25 wrote them, or with kohya's endings, as ComfyUI does. */
export const diffusers: Dialect = {
  name: "diffusers",
  writtenBy: "diffusers 0.18 to 0.25; with other endings ComfyUI",
  beginnings: {
    unet: ["", "unet.", "diffusion_model."],
    textEncoder: ["text_encoder.", "text_encoders.clip_l.transformer."],
    textEncoder2: ["text_encoder_2.", "text_encoders.clip_g.transformer."],
  },
  endings: {
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
    ...lycorisEndings,
  },
  spell: (modules: readonly ModuleShape[]): ReadonlyMap<string, string> => {
    const spellings = new Map(dotted(modules));
    for (const [path, ldm] of originalUNetPaths(modules.map(({ path }) => path)))
      if (!spellings.has(ldm)) spellings.set(ldm, path);
    return spellings;
  },
};
