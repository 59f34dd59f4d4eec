/** Shapes of a file's tensors, by their keys. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What the keys and shapes of a U-Net in the original names say about it. */
export interface UNetLayout {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of each level, from the picture inwards. */
  readonly channels: readonly number[];
  /** Residual layers of each level on the way down. */
  readonly layers: readonly number[];
  /** Transformer layers after each residual layer on the way down; 0 where there is no attention. */
  readonly down: readonly (readonly number[])[];
  /** Transformer layers in the middle; 0 for a middle of one residual layer. */
  readonly mid: number;
  /** The same on the way up, the deepest level first. */
  readonly up: readonly (readonly number[])[];
  readonly contextWidth: number;
  readonly linearProjection: boolean;
  /** Width of what SDXL's U-Net is told besides text and time. */
  readonly additionWidth: number | undefined;
  /** Width of the guidance embedding of a latent consistency model. */
  readonly guidanceWidth: number | undefined;
}

/** Keys of the guidance embedding: that of the published files, and that of a converter. */
export const guidanceKeys: readonly string[] = ["time_embedding.cond_proj.weight", "time_embed.cond_proj.weight"];

/**
 * Reads the structure of a U-Net from its keys, which must have no prefix.
 * @returns undefined when this is no U-Net of Stable Diffusion's first code
 */
export function readUNetLayout(shapes: Shapes): UNetLayout | undefined {
  const first = shapes.get("input_blocks.0.0.weight");
  const last = shapes.get("out.2.weight");
  const text = find(shapes, /\.attn2\.to_k\.weight$/);
  const projection = find(shapes, /\.1\.proj_in\.weight$/);
  if (first === undefined || last === undefined || text === undefined || projection === undefined) return undefined;
  const depths = transformerDepths(shapes);
  const levels = downLevels(shapes, depths);
  if (levels === undefined) return undefined;
  return {
    inChannels: first[1] ?? 0,
    outChannels: last[0] ?? 0,
    channels: levels.map(({ channels }) => channels),
    layers: levels.map((level) => level.depths.length),
    down: levels.map((level) => level.depths),
    mid: depths.get("middle_block") ?? 0,
    up: upDepths(levels, depths),
    contextWidth: text[1] ?? 0,
    linearProjection: projection.length === 2,
    additionWidth: shapes.get("label_emb.0.0.weight")?.[1],
    guidanceWidth: guidanceKeys.map((key) => shapes.get(key)?.[1]).find((width) => width !== undefined),
  };
}

interface DownLevel {
  readonly channels: number;
  readonly depths: number[];
}

/** Walks down the flat list: residual layers until a downsampler ends the level. */
function downLevels(shapes: Shapes, depths: ReadonlyMap<string, number>): DownLevel[] | undefined {
  const levels: DownLevel[] = [];
  let open: DownLevel | undefined;
  for (let i = 1; ; i++) {
    const block = `input_blocks.${i}`;
    const channels = shapes.get(`${block}.0.out_layers.3.weight`)?.[0];
    if (channels !== undefined) {
      if (open === undefined) {
        open = { channels, depths: [] };
        levels.push(open);
      }
      open.depths.push(depths.get(block) ?? 0);
    } else if (shapes.has(`${block}.0.op.weight`) && open !== undefined) open = undefined;
    else break;
  }
  return levels.length > 0 && open !== undefined ? levels : undefined;
}

/** Each level has one layer more on the way up than on the way down. */
function upDepths(levels: readonly DownLevel[], depths: ReadonlyMap<string, number>): number[][] {
  let next = 0;
  return levels.toReversed().map((level) => {
    const count = level.depths.length + 1;
    return Array.from({ length: count }, () => depths.get(`output_blocks.${next++}`) ?? 0);
  });
}

/** Transformer layers of each block that has any, by its name in the flat lists. */
function transformerDepths(shapes: Shapes): Map<string, number> {
  const depths = new Map<string, number>();
  for (const key of shapes.keys()) {
    const match = /^(input_blocks\.\d+|middle_block|output_blocks\.\d+)\.1\.transformer_blocks\.(\d+)\./.exec(key);
    if (match === null) continue;
    const [, block = "", layer] = match;
    depths.set(block, Math.max(depths.get(block) ?? 0, Number(layer) + 1));
  }
  return depths;
}

function find(shapes: Shapes, pattern: RegExp): readonly number[] | undefined {
  for (const [key, shape] of shapes) if (pattern.test(key)) return shape;
  return undefined;
}
