import { type Dialect, spellEach } from "./dialect.ts";

/** The four layers of an attention by the names of the attention processors that once held their LoRAs. */
const processorNames: Readonly<Record<string, string>> = {
  to_q: "processor.to_q_lora",
  to_k: "processor.to_k_lora",
  to_v: "processor.to_v_lora",
  "to_out.0": "processor.to_out_lora",
};

/** LoRAs of attention processors, as diffusers before 0.18 wrote them. */
export const diffusersOld: Dialect = {
  name: "diffusers-old",
  writtenBy: "diffusers before 0.18",
  beginnings: {
    "": "unet",
    "unet.": "unet",
    "text_encoder.": "textEncoder",
  },
  endings: {
    ".down.weight": "down",
    ".up.weight": "up",
    ".alpha": "alpha",
  },
  spell: spellEach((path) => {
    for (const [layer, name] of Object.entries(processorNames)) {
      if (path.endsWith(`.${layer}`)) return path.slice(0, -layer.length) + name;
    }
    return undefined;
  }),
};
