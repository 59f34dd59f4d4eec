import { ShapeError } from "../errors.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";

type Floats = Tensor<"float32">;

/** How large maps go through an autoencoder in overlapping tiles. */
export interface Tiling {
  /** Side of a tile, in latents. */
  readonly tile: number;
  /** Share of a tile that the next one covers too, where the two are blended; from 0 to below 1. */
  readonly overlap: number;
  /** Pictures of more latents than this, h w, go in tiles. */
  readonly above: number;
}

/**
 * Tiles of 64 latents, 512 pixels, of which a quarter overlaps, as in diffusers; from 1024x1024 pixels on: there the attention
 * in the middle of Stable Diffusion's autoencoder compares each of 16,384 places with all others, which takes 1 GiB.
 */
export const tilingDefaults: Tiling = { tile: 64, overlap: 0.25, above: 128 * 128 };

/** Always whole, whatever it costs. */
export const noTiling: Tiling = { ...tilingDefaults, above: Number.POSITIVE_INFINITY };

/** The extents of tiles, all in elements of the map that goes in. */
export interface TileExtents {
  readonly tile: number;
  readonly overlap: number;
  /** Elements that come out for one that goes in, along each side: 8 when decoding, 1/8 when encoding. */
  readonly factor: number;
}

/**
 * Maps `[n, channels, h, w]` through `run` in tiles, each blended linearly into its upper and left neighbour over what
 * they share: the way of `tiled_decode` and `tiled_encode` in diffusers' AutoencoderKL.
 * @throws ShapeError when a tile's output has another size than the factor says
 */
export async function inTiles(
  input: Floats,
  { tile, overlap, factor }: TileExtents,
  run: (tile: Floats) => Promise<Floats>,
): Promise<Floats> {
  const [, , height, width] = input.shape as [number, number, number, number];
  const stride = Math.floor(tile * (1 - overlap));
  const blend = Math.floor(tile * factor * overlap);
  const shown = tile * factor - blend;
  let out: Floats | undefined;
  let above: Floats[] = [];
  for (let top = 0; top < height; top += stride) {
    const row: Floats[] = [];
    for (let left = 0; left < width; left += stride) {
      const size = { height: Math.min(tile, height - top), width: Math.min(tile, width - left) };
      const done = await run(cut(input, { top, left, ...size }));
      requireSize(done, size, factor);
      const upper = above[row.length];
      if (upper !== undefined) blendDown(upper, done, blend);
      const before = row.at(-1);
      if (before !== undefined) blendRight(before, done, blend);
      row.push(done);
      out ??= filled([done.shape[0]!, done.shape[1]!, height * factor, width * factor]);
      paste(out, done, { top: (top / stride) * shown, left: (left / stride) * shown, shown });
    }
    above = row;
  }
  return out!;
}

interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

function cut({ shape, data }: Floats, { top, left, height, width }: Region): Floats {
  const [n, channels, rows, columns] = shape as [number, number, number, number];
  const out = filled([n, channels, height, width]);
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < height; y++) {
      const begin = (plane * rows + top + y) * columns + left;
      out.data.set(data.subarray(begin, begin + width), (plane * height + y) * width);
    }
  }
  return out;
}

/** Lays a tile's upper left part into the whole; what lies beyond the whole's border is cut off. */
function paste(
  whole: Floats,
  tile: Floats,
  { top, left, shown }: { readonly top: number; readonly left: number; readonly shown: number },
): void {
  const [n, channels, rows, columns] = whole.shape as [number, number, number, number];
  const [, , tileRows, tileColumns] = tile.shape as [number, number, number, number];
  const height = Math.min(shown, tileRows, rows - top);
  const width = Math.min(shown, tileColumns, columns - left);
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < height; y++) {
      const begin = (plane * tileRows + y) * tileColumns;
      whole.data.set(tile.data.subarray(begin, begin + width), (plane * rows + top + y) * columns + left);
    }
  }
}

/** Mixes the last rows of the tile above into the first ones of this, in place. */
function blendDown(above: Floats, tile: Floats, most: number): void {
  const [n, channels, rows, columns] = tile.shape as [number, number, number, number];
  const upperRows = above.shape[2]!;
  const extent = Math.min(upperRows, rows, most);
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < extent; y++) {
      const share = y / extent;
      const from = (plane * upperRows + upperRows - extent + y) * columns;
      const to = (plane * rows + y) * columns;
      for (let x = 0; x < columns; x++) {
        tile.data[to + x] = above.data[from + x]! * (1 - share) + tile.data[to + x]! * share;
      }
    }
  }
}

/** Mixes the last columns of the tile on the left into the first ones of this, in place. */
function blendRight(left: Floats, tile: Floats, most: number): void {
  const [n, channels, rows, columns] = tile.shape as [number, number, number, number];
  const leftColumns = left.shape[3]!;
  const extent = Math.min(leftColumns, columns, most);
  for (let line = 0; line < n * channels * rows; line++) {
    for (let x = 0; x < extent; x++) {
      const share = x / extent;
      const to = line * columns + x;
      const from = line * leftColumns + leftColumns - extent + x;
      tile.data[to] = left.data[from]! * (1 - share) + tile.data[to]! * share;
    }
  }
}

function requireSize(
  { shape }: Floats,
  { height, width }: { readonly height: number; readonly width: number },
  factor: number,
): void {
  if (shape[2] === height * factor && shape[3] === width * factor) return;
  throw new ShapeError("inTiles", `tiles [n, channels, ${height * factor}, ${width * factor}]`, [shape]);
}
