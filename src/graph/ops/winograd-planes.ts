import { constant, type Value } from "../value.ts";
import { gemm, matmul } from "./product.ts";
import { expand, reshape, transpose } from "./structure.ts";
import { dataLine, fourByFour, kernelsAtPoints, type Matrix, resultLine } from "./winograd-transforms.ts";

/*
 * On maps as small as ours in training each of Winograd's transforms of a whole plane is one matrix, so all of it is
 * matrix products, forward and in reverse.
 */

const { points, tile } = fourByFour;

/** Rows (point of the first axis, of the second, row of the first, of the second); columns likewise. */
function product(vertical: Matrix, horizontal: Matrix, rowsPerPoint: readonly [number, number]): Float32Array {
  const [down, across] = rowsPerPoint;
  const values: number[] = [];
  for (let p = 0; p < points; p++) {
    for (let q = 0; q < points; q++) {
      for (let t = 0; t < down; t++) {
        for (let u = 0; u < across; u++) {
          for (const a of vertical[p * down + t]!) for (const b of horizontal[q * across + u]!) values.push(a * b);
        }
      }
    }
  }
  return Float32Array.from(values);
}

const matrix = (rows: number, data: Float32Array): Value =>
  constant({ type: "float32", shape: [rows, data.length / rows], data });

const planeMatrices = (height: number, width: number): { readonly data: Value; readonly result: Value } => {
  const tiles = [height / tile, width / tile] as const;
  const rows = points * points * tiles[0] * tiles[1];
  return {
    data: matrix(
      rows,
      product(dataLine(fourByFour, tiles[0], height, 0), dataLine(fourByFour, tiles[1], width, 0), tiles),
    ),
    result: matrix(
      rows,
      product(resultLine(fourByFour, tiles[0], height), resultLine(fourByFour, tiles[1], width), tiles),
    ),
  };
};

// Above 8x8 the matrix of a whole plane costs more than the tiles save.
const sizes = [4, 8] as const;
const planes: ReadonlyMap<string, ReturnType<typeof planeMatrices>> = new Map(
  sizes.flatMap((height) => sizes.map((width) => [`${height}x${width}`, planeMatrices(height, width)])),
);

/** Fewer columns than this and the transformed kernels, four times the plain ones, are read for too little. */
const leastColumns = 16;

/**
 * Whether `winogradPlanes` computes a 3x3 convolution with stride 1 and a border of zeros, and faster: planes of 4 or 8 pixels
 * a side in a batch that is large enough (measured on one core: 1.6 times at 8x8, 1.8 to 2.3 times at 4x4, batch 16).
 * @param x maps `[channels, batch, height, width]`
 */
export function winogradPlanesPay({ shape, type }: Value): boolean {
  const [, batch, height, width] = shape as [number, number, number, number];
  const tiles = (height * width) / (tile * tile);
  return type === "float32" && planes.has(`${height}x${width}`) && batch * tiles >= leastColumns;
}

/**
 * 3x3 convolution with stride 1 and padding 1 of maps `[channels, batch, height, width]` with `w` `[out, channels, 3, 3]`
 * and a bias `[out]`. Its gradient is that of the products it is made of. `x` must pass `winogradPlanesPay`.
 */
export function winogradPlanes(x: Value, w: Value, bias?: Value): Value {
  const [channels, batch, height, width] = x.shape as [number, number, number, number];
  const out = w.shape[0]!;
  const all = points * points;
  const pixels = height * width;
  const tiles = pixels / (tile * tile);
  const plane = planes.get(`${height}x${width}`)!;

  const spread = reshape(gemm(plane.data, reshape(x, [channels * batch, pixels]), undefined, { transposeB: true }), [
    all,
    tiles,
    channels,
    batch,
  ]);
  const data = reshape(transpose(spread, [0, 2, 1, 3]), [all, channels, tiles * batch]);
  const results = reshape(matmul(kernelsAtPoints(fourByFour, w), data), [all, out, tiles, batch]);
  const collected = reshape(transpose(results, [0, 2, 1, 3]), [all * tiles, out * batch]);
  const column =
    bias === undefined ? undefined : reshape(expand(reshape(bias, [out, 1]), [out, batch]), [out * batch, 1]);
  return reshape(gemm(collected, plane.result, column, { transposeA: true }), [out, batch, height, width]);
}
