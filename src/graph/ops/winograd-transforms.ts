import { constant, type Value } from "../value.ts";
import { gemm } from "./product.ts";
import { reshape } from "./structure.ts";

/*
 * Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015, "Fast algorithms for convolutional neural networks"):
 * a tile of 4x4 results takes 36 products per pair of channels where a plain convolution takes 144.
 */

export type Matrix = readonly (readonly number[])[];

/** Points of the transformed tile on one axis. */
export const points = 6;
/** Results of a tile on one axis. */
export const tile = 4;

/** Data, kernel and result in one dimension: y = At ((G g) * (Bt d)), for the points 0, 1, -1, 2, -2 and infinity. */
const dataTransform: Matrix = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const kernelTransform: Matrix = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const resultTransform: Matrix = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

/**
 * The transform of a line of pixels into tiles: rows (point, tile), columns pixels. What lies beyond the line is zero.
 * @param first where the line begins, in pixels from the first tile's first result: -1 brings the neighbour along
 */
export function dataLine(tiles: number, pixels: number, first: number): Matrix {
  return dataTransform.flatMap((row) =>
    range(tiles).map((t) => range(pixels).map((pixel) => row[pixel + first - t * tile + 1] ?? 0)),
  );
}

/** The transposed transform of tiles into a line of results: rows (point, tile), columns pixels. */
export function resultLine(tiles: number, pixels: number): Matrix {
  return range(points).flatMap((p) =>
    range(tiles).map((t) => range(pixels).map((pixel) => resultTransform[pixel - t * tile]?.[p] ?? 0)),
  );
}

/** Rows (point of the first axis, of the second), columns the nine places of a kernel. */
const kernelMatrix: Value = constant({
  type: "float32",
  shape: [points * points, 9],
  data: Float32Array.from(
    kernelTransform.flatMap((down) =>
      kernelTransform.flatMap((across) => down.flatMap((a) => across.map((b) => a * b))),
    ),
  ),
});

/** Kernels `[out, channels, 3, 3]` at each pair of points, `[points * points, out, channels]`. */
export function kernelsAtPoints(w: Value): Value {
  const [out, channels] = w.shape as [number, number];
  const places = reshape(w, [out * channels, 9]);
  return reshape(gemm(kernelMatrix, places, undefined, { transposeB: true }), [points * points, out, channels]);
}
