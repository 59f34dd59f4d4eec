import type { ModuleShape } from "../targets.ts";

/** Stable Diffusion's first names of the layers inside a residual block, by diffusers' names. */
const residualNames: Readonly<Record<string, string>> = {
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  conv2: "out_layers.3",
  conv_shortcut: "skip_connection",
};

const middleNames: Readonly<Record<string, string>> = {
  "resnets.0": "middle_block.0",
  "attentions.0": "middle_block.1",
  "resnets.1": "middle_block.2",
};

interface BlockPlace {
  readonly side: string;
  readonly block: number;
  readonly group: string;
  readonly layer: number;
  readonly rest: string;
}

/**
 * The names that Stable Diffusion's first code (and SGM, of SDXL) gives to a U-Net's layers, by diffusers' paths.
 *
 * There the blocks lie in two flat lists: `input_blocks` (0 is the first convolution; each layer of a block, then its
 * downsampler, is one) and `output_blocks` (each layer is one; its upsampler stands last in the block's last layer).
 */
export function ldmPaths(modules: readonly ModuleShape[]): Map<string, string> {
  const layers = countLayers(modules);
  const paths = new Map<string, string>();
  for (const { path } of modules) {
    const renamed = rename(path, layers);
    if (renamed !== undefined) paths.set(path, renamed);
  }
  return paths;
}

/** What a model's blocks hold, by `side.block`: how many residual layers, and whether attention follows each. */
type Layers = ReadonlyMap<string, { readonly count: number; readonly attends: boolean }>;

function countLayers(modules: readonly ModuleShape[]): Layers {
  const layers = new Map<string, { count: number; attends: boolean }>();
  for (const { path } of modules) {
    const place = parsePlace(path);
    if (place === undefined) continue;
    const key = `${place.side}.${place.block}`;
    const known = layers.get(key) ?? { count: 0, attends: false };
    layers.set(key, {
      count: place.group === "resnets" ? Math.max(known.count, place.layer + 1) : known.count,
      attends: known.attends || place.group === "attentions",
    });
  }
  return layers;
}

function parsePlace(path: string): BlockPlace | undefined {
  const parts = /^(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(path);
  if (parts === null) return undefined;
  const [, side = "", block, group = "", layer, rest = ""] = parts;
  return { side, block: Number(block), group, layer: Number(layer), rest };
}

function rename(path: string, layers: Layers): string | undefined {
  const middle = /^mid_block\.((?:resnets|attentions)\.\d+)\.(.+)$/.exec(path);
  if (middle !== null) {
    const [, member = "", rest = ""] = middle;
    const name = middleNames[member];
    return name === undefined ? undefined : `${name}.${inner(member.startsWith("resnets"), rest)}`;
  }
  const place = parsePlace(path);
  if (place === undefined) return undefined;
  const { side, block, group, layer, rest } = place;
  const own = layers.get(`${side}.${block}`) ?? { count: 0, attends: false };
  let before = side === "down" ? 1 : 0;
  // A block before this one has a downsampler, which takes a place of its own, or an upsampler, which takes none.
  for (let b = 0; b < block; b++) before += (layers.get(`${side}.${b}`)?.count ?? 0) + (side === "down" ? 1 : 0);
  switch (group) {
    case "resnets":
      return `${side === "down" ? "input" : "output"}_blocks.${before + layer}.0.${inner(true, rest)}`;
    case "attentions":
      return `${side === "down" ? "input" : "output"}_blocks.${before + layer}.1.${rest}`;
    case "downsamplers":
      return `input_blocks.${before + own.count}.0.${rest === "conv" ? "op" : rest}`;
    default:
      return `output_blocks.${before + own.count - 1}.${own.attends ? 2 : 1}.${rest}`;
  }
}

function inner(residual: boolean, rest: string): string {
  return residual ? (residualNames[rest] ?? rest) : rest;
}
