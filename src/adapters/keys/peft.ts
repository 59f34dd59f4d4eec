import { originalUNetPaths } from "../../models/checkpoint/original/unet-names.ts";
import type { ModuleShape } from "../targets.ts";
import { type Dialect, spellEach, withoutTextModel } from "./dialect.ts";
import { factorEndings } from "./endings.ts";

const dotted = spellEach((path) => path, withoutTextModel);

/** The name of an adapter, where PEFT keeps it in the keys. */
const adapterName =
  /\.(lora_[AB]|lora_magnitude_vector|hada_\w+|lokr_\w+|oft_R)\.(?!(?:weight|bias)$)[^.]+(?=$|\.(?:weight|bias)$)/;

/** Dotted paths with PEFT's `lora_A` and `lora_B`; alpha stands in the metadata or in `adapter_config.json`. */
export const peft: Dialect = {
  name: "peft",
  writtenBy: "PEFT, diffusers since 0.22",
  beginnings: {
    unet: [
      "",
      "unet.",
      "base_model.model.",
      "base_model.model.unet.",
      "unet.base_model.model.",
      "diffusion_model.",
      "base_model.model.diffusion_model.",
    ],
    textEncoder: [
      "text_encoder.",
      "base_model.model.",
      "base_model.model.text_encoder.",
      "text_encoder.base_model.model.",
      "text_encoders.clip_l.transformer.",
    ],
    textEncoder2: [
      "text_encoder_2.",
      "base_model.model.text_encoder_2.",
      "text_encoder_2.base_model.model.",
      "text_encoders.clip_g.transformer.",
    ],
  },
  endings: {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_B.bias": "upBias",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    ".alpha": "alpha",
    ".oft_R.weight": "rotationVectors",
    ...factorEndings,
  },
  canonical: (key) => key.replace(adapterName, ".$1"),
  spell: (modules: readonly ModuleShape[]): ReadonlyMap<string, string> => {
    const spellings = new Map(dotted(modules));
    for (const [path, ldm] of originalUNetPaths(modules.map(({ path }) => path)))
      if (!spellings.has(ldm)) spellings.set(ldm, path);
    return spellings;
  },
};
