import { describe, expect, test } from "vitest";
import { ShapeError } from "../../src/errors.ts";
import { add, div, mul, sub } from "../../src/graph/ops/arithmetic.ts";
import { attention } from "../../src/graph/ops/attention.ts";
import { conv2d, convolution, convTranspose } from "../../src/graph/ops/convolution.ts";
import { greater, where } from "../../src/graph/ops/elementwise.ts";
import { groupNorm, layerNorm } from "../../src/graph/ops/normalisation.ts";
import { gemm, matmul } from "../../src/graph/ops/product.ts";
import { reduceSum } from "../../src/graph/ops/reduction.ts";
import { sumPool, upsample } from "../../src/graph/ops/resampling.ts";
import {
  concat,
  expand,
  gather,
  pad,
  reshape,
  reverse,
  scatterAdd,
  slice,
  transpose,
} from "../../src/graph/ops/structure.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { within } from "../../src/graph/within.ts";
import type { DataType } from "../../src/tensor/tensor.ts";

let names = 0;
const of = (...shape: number[]): Value => input(`x${names++}`, shape);
const typed = (type: DataType, ...shape: number[]): Value => input(`x${names++}`, shape, type);
const norm = { groups: 2, epsilon: 1e-5 };

const faults: readonly (readonly [string, () => Value, string])[] = [
  ["add", () => add(of(2, 3), of(4)), "add expects shapes that broadcast, but was given [2, 3] and [4]"],
  ["sub", () => sub(of(2, 3), of(2)), "sub expects shapes that broadcast, but was given [2, 3] and [2]"],
  [
    "mul",
    () => mul(of(2), typed("float16", 2)),
    "mul expects one element type (got float32 and float16), but was given [2] and [2]",
  ],
  ["div", () => div(of(3, 1), of(2, 3)), "div expects shapes that broadcast, but was given [3, 1] and [2, 3]"],
  ["greater", () => greater(of(2), of(3)), "greater expects shapes that broadcast, but was given [2] and [3]"],
  ["where", () => where(of(2), of(2), of(2)), "where expects a bool condition (got float32), but was given [2]"],
  [
    "where, operands",
    () => where(typed("bool", 2), of(3), of(2)),
    "where expects shapes that broadcast, but was given [3] and [2]",
  ],
  [
    "reduceSum",
    () => reduceSum(of(2, 3), [2]),
    "reduceSum expects an axis within the rank (axis 2), but was given [2, 3]",
  ],
  ["reshape", () => reshape(of(2, 3), [4]), "reshape expects as many elements, but was given [2, 3] and [4]"],
  [
    "transpose",
    () => transpose(of(2, 3), [0, 0]),
    "transpose expects an order of all axes (got 0, 0), but was given [2, 3]",
  ],
  ["expand", () => expand(of(2, 3), [4, 3]), "expand expects shapes that broadcast, but was given [2, 3] and [4, 3]"],
  [
    "expand, smaller",
    () => expand(of(2, 3), [1, 3]),
    "expand expects a shape that the value broadcasts to, but was given [2, 3] and [1, 3]",
  ],
  [
    "concat",
    () => concat([of(2, 3), of(3, 2)], 0),
    "concat expects shapes that agree but for axis 0, but was given [2, 3] and [3, 2]",
  ],
  ["slice", () => slice(of(2, 3), 1, 2, 4), "slice expects a range within axis 1 (got 2 to 4), but was given [2, 3]"],
  [
    "pad",
    () => pad(of(2, 3), [0, -1, 0, 0]),
    "pad expects 4 non-negative amounts (got 0, -1, 0, 0), but was given [2, 3]",
  ],
  [
    "gather",
    () => gather(of(2, 3), of(2)),
    "gather expects integer indices (got float32), but was given [2, 3] and [2]",
  ],
  [
    "scatterAdd",
    () => scatterAdd(typed("int64", 4), of(3, 2), 5),
    "scatterAdd expects one row per index, but was given [4] and [3, 2]",
  ],
  ["reverse", () => reverse(of(2), -2), "reverse expects an axis within the rank (axis -2), but was given [2]"],
  [
    "matmul",
    () => matmul(of(2, 3), of(2, 3)),
    "matmul expects inner sizes that agree (got 3 and 2), but was given [2, 3] and [2, 3]",
  ],
  [
    "matmul, batch",
    () => matmul(of(2, 2, 3), of(3, 3, 2)),
    "matmul expects shapes that broadcast, but was given [2] and [3]",
  ],
  ["gemm", () => gemm(of(2, 3), of(3, 4), of(3)), "gemm expects shapes that broadcast, but was given [3] and [2, 4]"],
  ["gemm, rank", () => gemm(of(2, 2, 3), of(3, 4)), "gemm expects a matrix (rank 2), but was given [2, 2, 3]"],
  [
    "convolution",
    () => convolution(of(1, 3, 4, 4), of(2, 4, 3, 3)),
    "convolution expects as many channels as the kernel has (1 groups), but was given [1, 3, 4, 4] and [2, 4, 3, 3]",
  ],
  [
    "convTranspose",
    () => convTranspose(of(1, 3, 4), of(2, 4, 3), { strides: [1], dilations: [1], pads: [0, 0], groups: 1, size: [6] }),
    "convTranspose expects as many channels as the kernel gives out, but was given [1, 3, 4] and [2, 4, 3]",
  ],
  [
    "conv2d",
    () => conv2d(of(3, 1, 8, 8), of(4, 2, 3, 3)),
    "conv2d expects as many channels as the kernel takes (2), but was given [3, 1, 8, 8] and [4, 2, 3, 3]",
  ],
  [
    "conv2d, bias",
    () => conv2d(of(2, 1, 8, 8), of(4, 2, 3, 3), of(2)),
    "conv2d expects a bias of 4 numbers, but was given [4, 2, 3, 3] and [2]",
  ],
  [
    "conv2d, size",
    () => conv2d(of(2, 1, 2, 8), of(4, 2, 3, 3)),
    "conv2d expects maps no smaller than the kernel, but was given [2, 1, 2, 8] and [4, 2, 3, 3]",
  ],
  [
    "conv2d, groups",
    () => conv2d(of(4, 1, 8, 8), of(3, 2, 3, 3), undefined, { groups: 2 }),
    "conv2d expects as many channels as the kernel takes (4), but was given [4, 1, 8, 8] and [3, 2, 3, 3]",
  ],
  [
    "upsample",
    () => upsample(of(2, 3)),
    "upsample expects feature maps [channels, batch, height, width] (rank 4), but was given [2, 3]",
  ],
  ["sumPool", () => sumPool(of(1, 1, 3, 2)), "sumPool expects an even height and width, but was given [1, 1, 3, 2]"],
  [
    "layerNorm",
    () => layerNorm(of(2, 3), of(2), of(3), 1e-5),
    "layerNorm expects a weight and a bias of 3 numbers, but was given [2, 3] and [2]",
  ],
  [
    "groupNorm",
    () => groupNorm(of(3, 1, 2, 2), of(3), of(3), norm),
    "groupNorm expects channels that divide into 2 groups, but was given [3, 1, 2, 2]",
  ],
  [
    "groupNorm, batch",
    () => groupNorm(of(4, 2, 2, 2), of(2), of(4), norm),
    "groupNorm expects a weight and a bias of 4 numbers, but was given [4, 2, 2, 2] and [2]",
  ],
  [
    "attention",
    () => attention(of(4, 6), of(4, 6), of(4, 6), { heads: 4, batch: 1 }),
    "attention expects queries that divide into 4 heads and 1 pictures, but was given [4, 6]",
  ],
  [
    "attention, keys",
    () => attention(of(4, 6), of(4, 8), of(4, 6), { heads: 2, batch: 1 }),
    "attention expects keys and values that fit the queries, but was given [4, 6] and [4, 8] and [4, 6]",
  ],
];

describe("a shape that does not fit is refused while the graph is built", () => {
  test.each(faults)("%s", (_, build, sentence) => {
    let error: unknown;
    try {
      within("up_blocks.1", () => within("resnets.0.conv1", build));
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ShapeError);
    const { message, place, operation, shapes } = error as ShapeError;
    expect(message).toBe(`up_blocks.1.resnets.0.conv1: ${sentence}`);
    expect(place).toEqual(["up_blocks.1", "resnets.0.conv1"]);
    expect(sentence.startsWith(`${operation} expects`)).toBe(true);
    for (const shape of shapes) expect(message).toContain(`[${shape.join(", ")}]`);
  });
});
