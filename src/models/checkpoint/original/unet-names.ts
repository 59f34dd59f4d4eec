/** Names of the layers outside the blocks, by diffusers' names. */
const outerNames: Readonly<Record<string, string>> = {
  conv_in: "input_blocks.0.0",
  "time_embedding.linear_1": "time_embed.0",
  "time_embedding.linear_2": "time_embed.2",
  // The published latent consistency models kept diffusers' name for the one layer that the first code never had.
  "time_embedding.cond_proj": "time_embedding.cond_proj",
  "add_embedding.linear_1": "label_emb.0.0",
  "add_embedding.linear_2": "label_emb.0.2",
  conv_norm_out: "out.0",
  conv_out: "out.2",
};

/** Names of the layers inside a residual block. */
const residualNames: Readonly<Record<string, string>> = {
  norm1: "in_layers.0",
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  norm2: "out_layers.0",
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
 * The names that Stable Diffusion's first code (and SGM, of SDXL) gives to the layers of a U-Net, by diffusers' paths. All
 * paths of a network must be given at once, since the names count the layers; a path that is none of them has no name.
 *
 * There the blocks lie in two flat lists: `input_blocks` (0 is the first convolution; each layer of a block, then its
 * downsampler, is one) and `output_blocks` (each layer is one; its upsampler stands last in the block's last layer).
 */
export function originalUNetPaths(paths: Iterable<string>): Map<string, string> {
  const all = [...paths];
  const layers = countLayers(all);
  const names = new Map<string, string>();
  for (const path of all) {
    const name = outerNames[path] ?? blockName(path, layers);
    if (name !== undefined) names.set(path, name);
  }
  return names;
}

/** What a model's blocks hold, by `side.block`: how many residual layers, and whether attention follows each. */
type Layers = ReadonlyMap<string, { readonly count: number; readonly attends: boolean }>;

function countLayers(paths: readonly string[]): Layers {
  const layers = new Map<string, { count: number; attends: boolean }>();
  for (const path of paths) {
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

function blockName(path: string, layers: Layers): string | undefined {
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
