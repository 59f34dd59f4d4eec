import { constant, type Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { gemm, matmul } from "./product.ts";
import { concat, reshape, slice, transpose } from "./structure.ts";
import {
  dataLine,
  type Filtering,
  fourByFour,
  kernelsAtPoints,
  type Matrix,
  resultLine,
  twoByTwo,
} from "./winograd-transforms.ts";

/*
 * Large planes, such as those of drawing: Winograd's transforms axis by axis, each a matrix product over a block of the
 * plane. The products' batch axes stand so that the points come first by themselves; only the results are put in order.
 */

/** A block's side at most, in pixels: the transform of a line costs its square, the borders of blocks are copied. */
const largestBlock = 64;
/** Fewer tiles than this, and reading the kernels, which grow by their transform, outweighs what is saved. */
const leastTiles = 64;
/** The transforms cost as much per channel as the products with so many; measured in docs/performance.md. */
const leastChannels = 240;

/**
 * The filtering with which `winogradBlocks` computes a 3x3 convolution with stride 1 and a border of zeros faster than it
 * is computed directly: many channels on large planes. Undefined where none does.
 * @param x maps `[channels, batch, height, width]`
 * @param w kernels `[out, channels, 3, 3]`
 */
export function blockFiltering({ shape, type }: Value, w: Value): Filtering | undefined {
  const [channels, batch, height, width] = shape as [number, number, number, number];
  const out = w.shape[0]!;
  const meanChannels = (2 * channels * out) / (channels + out);
  if (type !== "float32" || Math.min(height, width) < 12 || meanChannels < leastChannels) return undefined;
  return [fourByFour, twoByTwo].find(
    ({ tile }) => batch * Math.ceil(height / tile) * Math.ceil(width / tile) >= leastTiles,
  );
}

/** Part of an axis, with the pixels beside it that its tiles look at. */
interface Span {
  readonly begin: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
  readonly tiles: number;
}

function spans(size: number, tile: number): readonly Span[] {
  const count = Math.ceil(size / largestBlock);
  const length = tile * Math.ceil(size / count / tile);
  return Array.from({ length: Math.ceil(size / length) }, (_, i) => {
    const [begin, end] = [i * length, Math.min(size, (i + 1) * length)];
    return {
      ...{ begin, end, from: Math.max(0, begin - 1), to: Math.min(size, end + 1) },
      tiles: Math.ceil((end - begin) / tile),
    };
  });
}

const matrices = (shape: readonly number[], values: readonly (readonly number[])[]): Value =>
  constant({ type: "float32", shape, data: Float32Array.from(values.flat()) });
const transposed = (matrix: Matrix): Matrix => matrix[0]!.map((_, column) => matrix.map((row) => row[column]!));

/** The transforms of one axis of a block. */
interface Lines {
  /** `[points, 1, tiles, pixels]`, for the axis before the last. */
  readonly dataDown: Value;
  /** `[1, points, pixels, tiles]`, for the last axis. */
  readonly dataAcross: Value;
  /** `[pixels, points * tiles]` and its transpose. */
  readonly resultDown: Value;
  readonly resultAcross: Value;
}

function linesOf(filtering: Filtering, { begin, end, from, to, tiles }: Span): Lines {
  const { points } = filtering;
  const pixels = to - from;
  const data = dataLine(filtering, tiles, pixels, from - begin);
  const atPoint = (p: number): Matrix => data.slice(p * tiles, (p + 1) * tiles);
  const result = resultLine(filtering, tiles, end - begin);
  return {
    dataDown: matrices([points, 1, tiles, pixels], data),
    dataAcross: matrices(
      [1, points, pixels, tiles],
      Array.from({ length: points }, (_, p) => transposed(atPoint(p))).flat(),
    ),
    resultDown: matrices([end - begin, points * tiles], transposed(result)),
    resultAcross: matrices([points * tiles, end - begin], result),
  };
}

/**
 * 3x3 convolution with stride 1 and padding 1 of maps `[channels, batch, height, width]` with `w` `[out, channels, 3, 3]`
 * and a bias `[out]`. Its gradient is that of the products it is made of.
 */
export function winogradBlocks(filtering: Filtering, x: Value, w: Value, bias?: Value): Value {
  const [, , height, width] = x.shape as [number, number, number, number];
  const kernels = kernelsAtPoints(filtering, w);
  const known = new Map<string, Lines>();
  const lines = (span: Span): Lines => {
    const key = [span.end - span.begin, span.from - span.begin, span.to - span.begin].join();
    const made = known.get(key) ?? linesOf(filtering, span);
    known.set(key, made);
    return made;
  };
  const column = bias === undefined ? undefined : reshape(bias, [bias.shape[0]!, 1, 1, 1]);
  const strips = spans(height, filtering.tile).map((down) => {
    const strip = slice(x, 2, down.from, down.to);
    const blocks = spans(width, filtering.tile).map((across) => {
      const block = blockResult(slice(strip, 3, across.from, across.to), kernels, lines(down), lines(across));
      return column === undefined ? block : add(block, column);
    });
    return concat(blocks, 3);
  });
  return concat(strips, 2);
}

function blockResult(x: Value, kernels: Value, down: Lines, across: Lines): Value {
  const [channels, batch, height, width] = x.shape as [number, number, number, number];
  const [squared, out] = kernels.shape as [number, number, number];
  const points = Math.sqrt(squared);
  const [th, tw] = [down.dataDown.shape[2]!, across.dataAcross.shape[3]!];
  const maps = channels * batch;
  const spread = matmul(down.dataDown, reshape(x, [1, maps, height, width]));
  const data = matmul(reshape(spread, [points, 1, maps * th, width]), across.dataAcross);
  const products = matmul(kernels, reshape(data, [squared, channels, batch * th * tw]));
  const ordered = transpose(reshape(products, [points, points, out, batch, th, tw]), [2, 3, 0, 4, 1, 5]);
  const rows = gemm(reshape(ordered, [out * batch * points * th, points * tw]), across.resultAcross);
  const result = matmul(down.resultDown, reshape(rows, [out * batch, points * th, rows.shape[1]!]));
  return reshape(result, [out, batch, result.shape[1]!, result.shape[2]!]);
}
