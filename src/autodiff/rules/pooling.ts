import { div, mul } from "../../graph/ops/arithmetic.ts";
import { convolution, convTranspose } from "../../graph/ops/convolution.ts";
import { greater, where } from "../../graph/ops/elementwise.ts";
import type { PoolAttributes } from "../../graph/ops/pooling.ts";
import { reduceSum } from "../../graph/ops/reduction.ts";
import { reshape } from "../../graph/ops/structure.ts";
import { constant, scalar, type Value } from "../../graph/value.ts";
import { filled } from "../../tensor/tensor.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

type Shape4 = [number, number, number, number];

/** Maps as single planes `[channels * batch, 1, height, width]`. */
const planes = (x: Value): Value => {
  const [channels, batch, height, width] = x.shape as Shape4;
  return reshape(x, [channels * batch, 1, height, width]);
};

/** How many positions of the map each window holds, `[1, 1, height, width]`. */
function windowSizes(
  [, , height, width]: Shape4,
  [, , oh, ow]: Shape4,
  { kernel, stride, pads }: PoolAttributes,
): Value {
  const inside = (extent: number, before: number, place: number): number => {
    const begin = place * stride - before;
    return Math.min(extent, begin + kernel) - Math.max(0, begin);
  };
  const sizes = filled([1, 1, oh, ow]);
  for (let i = 0; i < oh * ow; i++)
    sizes.data[i] = inside(height, pads[0], Math.floor(i / ow)) * inside(width, pads[1], i % ow);
  return constant(sizes);
}

/** A kernel for each place of the window, `[kernel * kernel, 1, kernel, kernel]`: 1 there and 0 elsewhere. */
function placeKernels(kernel: number): Value {
  const kernels = filled([kernel * kernel, 1, kernel, kernel]);
  for (let i = 0; i < kernel * kernel; i++) kernels.data[i * kernel * kernel + i] = 1;
  return constant(kernels);
}

const spread = (g: Value, kernel: Value, x: Value, { stride, pads }: PoolAttributes): Value => {
  const size = x.shape.slice(2);
  const back = convTranspose(g, kernel, { strides: [stride, stride], dilations: [1, 1], pads, groups: 1, size });
  return reshape(back, x.shape);
};

/** Each window's gradient goes to its largest element; equal ones share it. */
export const maxPoolRule: Rule<"maxPool"> = (g, { inputs: [x], outputs: [y], attributes }) => {
  const { kernel, stride, pads } = attributes;
  const places = placeKernels(kernel);
  const windowed = convolution(planes(x!), places, { strides: [stride, stride], pads });
  const within = convolution(constant(filled([1, 1, ...x!.shape.slice(2)], 1)), places, {
    strides: [stride, stride],
    pads,
  });
  const largest = mul(where(greater(planes(y!), windowed), scalar(0), scalar(1)), within);
  const shared = div(planes(whole(g, y!.shape)), reduceSum(largest, [1]));
  return [spread(mul(largest, shared), places, x!, attributes)];
};

/** Each window's gradient is spread evenly. */
export const averagePoolRule: Rule<"averagePool"> = (g, { inputs: [x], outputs: [y], attributes }) => {
  const sizes = windowSizes(x!.shape as Shape4, y!.shape as Shape4, attributes);
  const ones = constant(filled([1, 1, attributes.kernel, attributes.kernel], 1));
  return [spread(div(planes(whole(g, y!.shape)), sizes), ones, x!, attributes)];
};
