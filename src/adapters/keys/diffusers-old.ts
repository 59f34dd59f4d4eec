import { type Dialect, spellEach } from "./dialect.ts";

/** Layers of an attention by the names under which their LoRAs once lay: in attention processors, or beside the layer. */
const layerNames: Readonly<Record<string, string>> = {
  to_q: "processor.to_q_lora",
  to_k: "processor.to_k_lora",
  to_v: "processor.to_v_lora",
  "to_out.0": "processor.to_out_lora",
  q_proj: "to_q_lora",
  k_proj: "to_k_lora",
  v_proj: "to_v_lora",
  out_proj: "to_out_lora",
};

/** LoRAs of attention processors, as diffusers before 0.18 wrote them. */
export const diffusersOld: Dialect = {
  name: "diffusers-old",
  writtenBy: "diffusers before 0.18",
  beginnings: {
    unet: ["", "unet."],
    textEncoder: ["text_encoder."],
    textEncoder2: ["text_encoder_2."],
  },
  endings: {
    ".down.weight": "down",
    ".up.weight": "up",
    ".alpha": "alpha",
  },
  spell: spellEach((path) => {
    for (const [layer, name] of Object.entries(layerNames)) {
      if (path.endsWith(`.${layer}`)) return path.slice(0, -layer.length) + name;
    }
    return undefined;
  }),
};
