import type { ModuleShape } from "../targets.ts";
import type { Dialect, ModelPart } from "./dialect.ts";

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

/** The layers of an attention of a text encoder in the order in which it makes them. */
const textLayers = ["k_proj", "v_proj", "q_proj", "out_proj"];

const notAttention = "ff.net.0.proj";

/** Layers by number, as the first LoRA program for Stable Diffusion wrote them; it knows no alpha: the scale is 1. */
export const cloneofsimo: Dialect = {
  name: "cloneofsimo",
  writtenBy: "cloneofsimo/lora, late 2022 and early 2023",
  beginnings: { unet: ["unet:"], textEncoder: ["text_encoder:"] },
  endings: { ":down": "down", ":up": "up" },
  spell: (modules: readonly ModuleShape[], part: ModelPart): ReadonlyMap<string, string> =>
    new Map(numberedPaths(modules, part).map((path, number) => [String(number), path])),
};

/** The layers that the program adapted, in its order. */
function numberedPaths(modules: readonly ModuleShape[], part: ModelPart): readonly string[] {
  const paths = new Set(modules.map(({ path }) => path));
  if (part !== "unet") {
    const blocks = new Set(modules.flatMap(({ path }) => /^.*\.layers\.\d+\.self_attn(?=\.)/.exec(path) ?? []));
    return [...blocks].flatMap((block) => textLayers.map((layer) => `${block}.${layer}`)).filter((p) => paths.has(p));
  }
  const blocks = new Set(modules.flatMap(({ path }) => /^.*\.transformer_blocks\.\d+(?=\.)/.exec(path) ?? []));
  const sorted = sides.flatMap((side) => [...blocks].filter((block) => block.startsWith(side)));
  return sorted.flatMap((block) => layers.map((layer) => `${block}.${layer}`)).filter((path) => paths.has(path));
}

/**
 * The keys that the tensors of a bare list would have had: the program's first files were lists of an up and a down part in
 * turn, of the U-Net's attentions alone at first, or in a second file of those of the text encoder.
 * @returns undefined when no part of the model has as many layers as there are pairs
 */
export function namesOfList(
  count: number,
  parts: Readonly<Partial<Record<ModelPart, readonly ModuleShape[]>>>,
): readonly string[] | undefined {
  for (const [part, modules = []] of Object.entries(parts) as [ModelPart, readonly ModuleShape[] | undefined][]) {
    const [beginning] = cloneofsimo.beginnings[part] ?? [];
    if (beginning === undefined) continue;
    const numbered = [...numberedPaths(modules, part).entries()];
    const attentions = numbered.filter(([, path]) => !path.endsWith(notAttention));
    const fitting = [numbered, attentions].find((layers) => layers.length > 0 && 2 * layers.length === count);
    if (fitting !== undefined)
      return fitting.flatMap(([number]) => [`${beginning}${number}:up`, `${beginning}${number}:down`]);
  }
  return undefined;
}
