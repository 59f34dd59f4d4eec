import type { ModuleShape } from "../targets.ts";
import type { Dialect } from "./dialect.ts";

/** The order in which torch met the sides of a U-Net: its middle was made last. */
const sides = ["down_blocks.", "up_blocks.", "mid_block."];

/** The adapted layers of one transformer block in torch's order then: the feed-forward before the second attention. */
const layers = [
  "attn1.to_q",
  "attn1.to_k",
  "attn1.to_v",
  "attn1.to_out.0",
  "ff.net.0.proj",
  "attn2.to_q",
  "attn2.to_k",
  "attn2.to_v",
  "attn2.to_out.0",
];

/** Layers by number, as the first LoRA program for Stable Diffusion wrote them; it knows no alpha: the scale is 1. */
export const cloneofsimo: Dialect = {
  name: "cloneofsimo",
  writtenBy: "cloneofsimo/lora, late 2022 and early 2023",
  beginnings: { "unet:": "unet", "text_encoder:": "textEncoder" },
  endings: { ":down": "down", ":up": "up" },
  spell: (modules: readonly ModuleShape[]): ReadonlyMap<string, string> => {
    const paths = new Set(modules.map(({ path }) => path));
    const blocks = new Set(modules.flatMap(({ path }) => /^.*\.transformer_blocks\.\d+(?=\.)/.exec(path) ?? []));
    const spellings = new Map<string, string>();
    for (const side of sides) {
      for (const block of blocks) {
        if (!block.startsWith(side)) continue;
        for (const layer of layers) {
          const path = `${block}.${layer}`;
          if (paths.has(path)) spellings.set(String(spellings.size), path);
        }
      }
    }
    return spellings;
  },
};
