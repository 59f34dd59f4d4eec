import { ShapeError } from "../../errors.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { dimension, expectRank, expectSameType } from "../shapes.ts";
import type { Value } from "../value.ts";
import { gemm } from "./product.ts";
import { reshape } from "./structure.ts";
import { blockFiltering, winogradBlocks } from "./winograd-blocks.ts";
import { winogradPlanes, winogradPlanesPay } from "./winograd-planes.ts";

/** ONNX's own convolution of `[batch, channels, …spatial]` with `[out, channels / groups, …kernel]`. */
export interface ConvolutionAttributes {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Zeros before each spatial axis, then after each. */
  readonly pads: readonly number[];
  readonly groups: number;
}

export const convolutionOperation: OperationDefinition<"convolution", ConvolutionAttributes> = define({
  kind: "convolution",
  infer: ([x, w], { strides, dilations, pads, groups }) => {
    expectSameType("convolution", x!, w!);
    const spatial = x!.shape.length - 2;
    if (spatial < 1 || w!.shape.length !== x!.shape.length) {
      throw new ShapeError("convolution", "an input and a kernel of one rank", [x!.shape, w!.shape]);
    }
    if (x!.shape[1] !== w!.shape[1]! * groups || w!.shape[0]! % groups !== 0) {
      throw new ShapeError("convolution", `as many channels as the kernel has (${groups} groups)`, [
        x!.shape,
        w!.shape,
      ]);
    }
    const size = Array.from({ length: spatial }, (_, i) => {
      const reach = dilations[i]! * (w!.shape[i + 2]! - 1) + 1;
      return Math.floor((x!.shape[i + 2]! + pads[i]! + pads[spatial + i]! - reach) / strides[i]!) + 1;
    });
    if (size.some((n) => n < 1))
      throw new ShapeError("convolution", "an input no smaller than the kernel", [x!.shape, w!.shape]);
    return [{ type: x!.type, shape: [x!.shape[0]!, w!.shape[0]!, ...size] }];
  },
  emit: (emitter, inputs, outputs, { strides, dilations, pads, groups }) =>
    emitter.node("Conv", inputs, outputs, {
      strides: { ints: strides },
      dilations: { ints: dilations },
      pads: { ints: pads },
      group: { int: groups },
    }),
});

export interface ConvTransposeAttributes extends ConvolutionAttributes {
  /** Size of the result's spatial axes (a strided convolution maps several sizes to one). */
  readonly size: readonly number[];
}

/** The adjoint of `convolution` in its input: `[batch, out, …]` with `[out, channels / groups, …kernel]`. */
export const convTransposeOperation: OperationDefinition<"convTranspose", ConvTransposeAttributes> = define({
  kind: "convTranspose",
  infer: ([y, w], { groups, size }) => {
    expectSameType("convTranspose", y!, w!);
    if (w!.shape.length !== y!.shape.length || y!.shape[1] !== w!.shape[0]) {
      throw new ShapeError("convTranspose", "as many channels as the kernel gives out", [y!.shape, w!.shape]);
    }
    return [{ type: y!.type, shape: [y!.shape[0]!, w!.shape[1]! * groups, ...size] }];
  },
  emit: (emitter, inputs, outputs, { strides, dilations, pads, groups, size }, operation) => {
    const [y, w] = operation.inputs;
    const spatial = size.length;
    const outputPadding = size.map((n, i) => {
      const reach = dilations[i]! * (w!.shape[i + 2]! - 1) + 1;
      return n - ((y!.shape[i + 2]! - 1) * strides[i]! + reach - pads[i]! - pads[spatial + i]!);
    });
    emitter.node("ConvTranspose", inputs, outputs, {
      strides: { ints: strides },
      dilations: { ints: dilations },
      pads: { ints: pads },
      group: { int: groups },
      output_padding: { ints: outputPadding },
    });
  },
});

/** Convolution as ONNX defines it. @throws ShapeError */
export function convolution(x: Value, w: Value, attributes: Partial<ConvolutionAttributes> = {}): Value {
  const spatial = x.shape.length - 2;
  const each = (n: number): number[] => new Array<number>(spatial).fill(n);
  return apply1(convolutionOperation, [x, w], {
    strides: attributes.strides ?? each(1),
    dilations: attributes.dilations ?? each(1),
    pads: attributes.pads ?? [...each(0), ...each(0)],
    groups: attributes.groups ?? 1,
  });
}

/** The adjoint of a convolution in its input. @throws ShapeError */
export function convTranspose(y: Value, w: Value, attributes: ConvTransposeAttributes): Value {
  return apply1(convTransposeOperation, [y, w], attributes);
}

export interface Conv2dAttributes {
  readonly stride: number;
  /** Zeros at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number];
  readonly groups: number;
}

/**
 * Convolution of feature maps `[channels, batch, height, width]` with `[out, channels / groups, kh, kw]`.
 * The channels lead, so that the batch merges into one matrix product: a 3-D convolution whose kernel is 1 deep.
 */
export const conv2dOperation: OperationDefinition<"conv2d", Conv2dAttributes> = define({
  kind: "conv2d",
  infer: ([x, w, b], { stride, pads, groups }) => {
    expectSameType("conv2d", x!, w!);
    expectRank("conv2d", x!, 4, "feature maps [channels, batch, height, width]");
    expectRank("conv2d", w!, 4, "a kernel [out, in, height, width]");
    if (x!.shape[0] !== w!.shape[1]! * groups || w!.shape[0]! % groups !== 0) {
      throw new ShapeError("conv2d", `as many channels as the kernel takes (${w!.shape[1]! * groups})`, [
        x!.shape,
        w!.shape,
      ]);
    }
    if (b !== undefined && (b.shape.length !== 1 || b.shape[0] !== w!.shape[0])) {
      throw new ShapeError("conv2d", `a bias of ${w!.shape[0]} numbers`, [w!.shape, b.shape]);
    }
    const [top, left, bottom, right] = pads;
    const height = Math.floor((dimension(x!, 2) + top + bottom - dimension(w!, 2)) / stride) + 1;
    const width = Math.floor((dimension(x!, 3) + left + right - dimension(w!, 3)) / stride) + 1;
    if (height < 1 || width < 1)
      throw new ShapeError("conv2d", "maps no smaller than the kernel", [x!.shape, w!.shape]);
    return [{ type: x!.type, shape: [w!.shape[0]!, x!.shape[1]!, height, width] }];
  },
  emit: (emitter, [x, w, b], [y], { stride, pads, groups }, operation) => {
    const [channels, batch, height, width] = operation.inputs[0]!.shape as [number, number, number, number];
    const [top, left, bottom, right] = pads;
    const weight = operation.inputs[1]!.shape;
    const flat = batch === 1;
    const maps = emitter.fresh("Reshape", [
      x!,
      emitter.ints(flat ? [1, channels, height, width] : [1, channels, batch, height, width]),
    ]);
    const kernel = flat
      ? w!
      : emitter.fresh("Reshape", [w!, emitter.ints([weight[0]!, weight[1]!, 1, weight[2]!, weight[3]!])]);
    const result = emitter.fresh("Conv", b === undefined ? [maps, kernel] : [maps, kernel, b], {
      strides: { ints: flat ? [stride, stride] : [1, stride, stride] },
      pads: { ints: flat ? [top, left, bottom, right] : [0, top, left, 0, bottom, right] },
      // As they are where nothing is said; but the browser's runtime on WebGPU asks for them.
      dilations: { ints: flat ? [1, 1] : [1, 1, 1] },
      group: { int: groups },
    });
    emitter.node("Reshape", [result, emitter.ints(operation.outputs[0]!.shape)], [y!]);
  },
});

/** What people write: one stride, and the same zeros on all sides or [top, left, bottom, right]. */
export interface Conv2dOptions {
  readonly stride?: number;
  readonly padding?: number | readonly [number, number, number, number];
  readonly groups?: number;
}

/**
 * Convolution of maps `[channels, batch, height, width]` with `w` `[out, channels / groups, kh, kw]` and a bias `[out]`.
 * A 1x1 kernel becomes a matrix product, a 3x3 kernel several where that is faster. @throws ShapeError
 */
export function conv2d(x: Value, w: Value, bias?: Value, options: Conv2dOptions = {}): Value {
  const { stride = 1, padding = 0, groups = 1 } = options;
  const pads = typeof padding === "number" ? ([padding, padding, padding, padding] as const) : padding;
  const pointwise = w.shape[2] === 1 && w.shape[3] === 1 && stride === 1 && groups === 1 && pads.every((p) => p === 0);
  if (pointwise && x.shape.length === 4 && x.shape[0] === w.shape[1]) {
    const [channels, ...positions] = x.shape as [number, number, number, number];
    const out = w.shape[0]!;
    const matrix = reshape(x, [channels, positions[0] * positions[1] * positions[2]]);
    const column = bias === undefined ? undefined : reshape(bias, [out, 1]);
    return reshape(gemm(reshape(w, [out, channels]), matrix, column), [out, ...positions]);
  }
  const same = w.shape[2] === 3 && w.shape[3] === 3 && stride === 1 && groups === 1 && pads.every((p) => p === 1);
  if (same && x.shape[0] === w.shape[1] && w.type === x.type) {
    if (winogradPlanesPay(x)) return winogradPlanes(x, w, bias);
    const filtering = blockFiltering(x, w);
    if (filtering !== undefined) return winogradBlocks(filtering, x, w, bias);
  }
  return apply1(conv2dOperation, bias === undefined ? [x, w] : [x, w, bias], { stride, pads, groups });
}
