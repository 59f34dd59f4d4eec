import { type Dialect, spellEach } from "./dialect.ts";

/** Dotted paths with `lora.down` and `lora.up`, as diffusers 0.18 to 0.25 wrote them. */
export const diffusers: Dialect = {
  name: "diffusers",
  writtenBy: "diffusers 0.18 to 0.25",
  beginnings: {
    "": "unet",
    "unet.": "unet",
    "text_encoder.": "textEncoder",
    "text_encoder_2.": "textEncoder2",
  },
  endings: {
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
  },
  spell: spellEach((path) => path),
};
