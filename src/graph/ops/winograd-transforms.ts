import { constant, type Value } from "../value.ts";
import { gemm } from "./product.ts";
import { reshape } from "./structure.ts";

export type Matrix = readonly (readonly number[])[];

/**
 * One of Winograd's minimal filterings F(tile x tile, 3x3) (Lavin and Gray 2015, "Fast algorithms for convolutional neural
 * networks") in one dimension: `y = resultᵀ ((kernel g) * (data d))`, where `*` goes point by point.
 */
export interface Filtering {
  /** Results of a tile on one axis. */
  readonly tile: number;
  /** Products of a tile on one axis: `tile + 2`. */
  readonly points: number;
  readonly data: Matrix;
  readonly kernel: Matrix;
  readonly result: Matrix;
}

/** F(4x4, 3x3) for the points 0, 1, -1, 2, -2 and infinity: a quarter of the products, kernels four times as large. */
export const fourByFour: Filtering = {
  tile: 4,
  points: 6,
  data: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  kernel: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  result: [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
  ],
};

/** F(2x2, 3x3) for the points 0, 1, -1 and infinity: 4/9 of the products, kernels 16/9 as large. */
export const twoByTwo: Filtering = {
  tile: 2,
  points: 4,
  data: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  kernel: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  result: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

/**
 * The transform of a line of pixels into tiles: rows (point, tile), columns pixels. What lies beyond the line is zero.
 * @param first where the line begins, in pixels from the first tile's first result: -1 brings the neighbour along
 */
export function dataLine({ data, tile }: Filtering, tiles: number, pixels: number, first: number): Matrix {
  return data.flatMap((row) =>
    range(tiles).map((t) => range(pixels).map((pixel) => row[pixel + first - t * tile + 1] ?? 0)),
  );
}

/** The transposed transform of tiles into a line of results: rows (point, tile), columns pixels. */
export function resultLine({ result, points, tile }: Filtering, tiles: number, pixels: number): Matrix {
  return range(points).flatMap((p) =>
    range(tiles).map((t) => range(pixels).map((pixel) => result[pixel - t * tile]?.[p] ?? 0)),
  );
}

/** Kernels `[out, channels, 3, 3]` at each pair of points, `[points * points, out, channels]`. */
export function kernelsAtPoints({ kernel, points }: Filtering, w: Value): Value {
  const [out, channels] = w.shape as [number, number];
  const rows = kernel.flatMap((down) => kernel.flatMap((across) => down.flatMap((a) => across.map((b) => a * b))));
  const matrix = constant({ type: "float32", shape: [points * points, 9], data: Float32Array.from(rows) });
  const places = reshape(w, [out * channels, 9]);
  return reshape(gemm(matrix, places, undefined, { transposeB: true }), [points * points, out, channels]);
}
