import { conv2d } from "../graph/ops/convolution.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { gemm } from "../graph/ops/product.ts";
import type { Value } from "../graph/value.ts";
import type { WeightRule } from "./layers.ts";

const half = (x: Value): Value => cast(x, "float16");
const full = (x: Value): Value => cast(x, "float32");

/**
 * `W0 x + b` in float16, between float32: half the memory traffic of what costs the most, where a device computes float16.
 * A result beyond 65,504 becomes infinite.
 */
export const halfRule: WeightRule = {
  linear: (_, x, weight, bias) =>
    full(gemm(half(x), half(weight), bias === undefined ? undefined : half(bias), { transposeB: true })),
  conv: (_, x, weight, bias, options) =>
    full(conv2d(half(x), half(weight), bias === undefined ? undefined : half(bias), options)),
};
