import { add, shift, sub } from "../../graph/ops/arithmetic.ts";
import { relu } from "../../graph/ops/elementwise.ts";
import { gemm } from "../../graph/ops/product.ts";
import { reduceMean } from "../../graph/ops/reduction.ts";
import { reshape, transpose } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../../models/layers.ts";
import { batchNormedConv } from "./batch-normed.ts";

/** Height and width that the network takes. */
export const efficientNetLiteSize = 224;
/** Numbers that it makes of a picture. */
export const efficientNetLiteWidth = 1280;
const classes = 1000;

/** Blocks of one width: how many, their kernel, the stride of the first, how far they widen within, and the width. */
const stages: readonly (readonly [count: number, kernel: number, stride: number, widening: number, out: number])[] = [
  [1, 3, 1, 1, 16],
  [2, 3, 2, 6, 24],
  [2, 5, 2, 6, 40],
  [3, 3, 2, 6, 80],
  [3, 5, 1, 6, 112],
  [4, 5, 2, 6, 192],
  [1, 3, 1, 6, 320],
];

const relu6 = (x: Value): Value => sub(relu(x), relu(shift(x, -6)));

/** TensorFlow's "same" padding: what does not divide evenly lies at the end. */
function samePadding(x: Value, kernel: number, stride: number): [number, number, number, number] {
  const beyond = (extent: number): number => Math.max(0, (Math.ceil(extent / stride) - 1) * stride + kernel - extent);
  const [height, width] = [beyond(x.shape[2]!), beyond(x.shape[3]!)];
  const [top, left] = [Math.floor(height / 2), Math.floor(width / 2)];
  return [top, left, height - top, width - left];
}

function conv(layers: Layers, name: string, norm: string, x: Value, out: number, kernel = 1, stride = 1): Value {
  const weight = layers.parameter(`${name}.weight`, [out, x.shape[0]!, kernel, kernel]);
  return batchNormedConv(layers, x, weight, norm, { stride, padding: samePadding(x, kernel, stride) });
}

function block(layers: Layers, x: Value, kernel: number, stride: number, widening: number, out: number): Value {
  const width = x.shape[0]! * widening;
  const wide = widening === 1 ? x : relu6(conv(layers, "_expand_conv", "_bn0", x, width));
  const depthwise = layers.parameter("_depthwise_conv.weight", [width, 1, kernel, kernel]);
  const options = { stride, padding: samePadding(wide, kernel, stride), groups: width };
  const filtered = relu6(batchNormedConv(layers, wide, depthwise, "_bn1", options));
  const narrow = conv(layers, "_project_conv", "_bn2", filtered, out);
  return stride === 1 && x.shape[0] === out ? add(narrow, x) : narrow;
}

/**
 * EfficientNet-Lite0 (Tan and Le, arXiv:1905.11946, without squeezing and with ReLU6), by the names of its port to torch.
 * @param pictures maps `[3, batch, 224, 224]`, (bytes - 127) / 128
 * @returns the last maps' means `[batch, 1280]` and scores of ImageNet's classes `[batch, 1000]`
 * @throws ShapeError
 */
export function efficientNetLite(
  layers: Layers,
  pictures: Value,
): { readonly features: Value; readonly logits: Value } {
  let x = relu6(conv(layers, "_conv_stem", "_bn0", pictures, 32, 3, 2));
  let place = 0;
  for (const [count, kernel, stride, widening, out] of stages) {
    for (let i = 0; i < count; i++) {
      const name = `_blocks.${place++}`;
      x = within(name, () => block(layers.at(name), x, kernel, i === 0 ? stride : 1, widening, out));
    }
  }
  const last = relu6(conv(layers, "_conv_head", "_bn1", x, efficientNetLiteWidth));
  const [width, batch] = last.shape as [number, number];
  const features = transpose(reshape(reduceMean(last, [2, 3]), [width, batch]), [1, 0]);
  const scores = layers.parameter("_fc.weight", [classes, width]);
  return { features, logits: gemm(features, scores, layers.parameter("_fc.bias", [classes]), { transposeB: true }) };
}
