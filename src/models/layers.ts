import { ShapeError } from "../errors.ts";
import { type Conv2dOptions, conv2d } from "../graph/ops/convolution.ts";
import { type GroupNormAttributes, groupNorm, layerNorm } from "../graph/ops/normalisation.ts";
import { gemm } from "../graph/ops/product.ts";
import { sameShape } from "../graph/shapes.ts";
import type { Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";

/**
 * Gives the value of a named parameter in the shape that diffusers stores it in: `[out, in]` for linear layers,
 * `[out, in, kh, kw]` for convolutions. Constants, graph inputs and files are all sources.
 * @throws CheckpointError when there is no such parameter
 */
export type ParameterSource = (name: string, shape: readonly number[]) => Value;

export interface ConvOptions extends Conv2dOptions {
  readonly kernel?: number;
  readonly bias?: boolean;
}

/**
 * What a model asks its parameters for. This is the seam for adapters: plain layers answer `W0 x`, adapted ones
 * `W0 x + s B (A x)`, and no model knows which. Names are diffusers' module paths.
 */
export interface Layers {
  /** A linear layer over tokens `[tokens, in]` -> `[tokens, out]`. @throws ShapeError */
  linear(name: string, x: Value, out: number, bias?: boolean): Value;
  /** A convolution of maps `[in, batch, height, width]` -> `[out, batch, …]`; kernel 1 unless told. @throws ShapeError */
  conv(name: string, x: Value, out: number, options?: ConvOptions): Value;
  /** Group normalisation of maps `[channels, batch, height, width]`. @throws ShapeError */
  groupNorm(name: string, x: Value, attributes: GroupNormAttributes): Value;
  /** Layer normalisation of tokens `[tokens, width]`. @throws ShapeError */
  layerNorm(name: string, x: Value, epsilon: number): Value;
  /** A bare parameter, such as an embedding table. */
  parameter(name: string, shape: readonly number[]): Value;
  /** The layers under a prefix: `at("mid_block").linear("x", …)` reads `mid_block.x`. */
  at(prefix: string): Layers;
}

/** How linear layers and convolutions turn a name, an input and a weight's shape into a result. */
export interface WeightRule {
  linear(path: string, x: Value, weight: Value, bias: Value | undefined): Value;
  conv(path: string, x: Value, weight: Value, bias: Value | undefined, options: Conv2dOptions): Value;
}

/** `W0 x + b`, and nothing else. */
export const plainRule: WeightRule = {
  linear: (_, x, weight, bias) => gemm(x, weight, bias, { transposeB: true }),
  conv: (_, x, weight, bias, options) => conv2d(x, weight, bias, options),
};

/** Layers over a source of parameters; `rule` is where adapters step in. */
export function layers(source: ParameterSource, rule: WeightRule = plainRule, prefix = ""): Layers {
  const full = (name: string): string => prefix + name;
  const read = (name: string, shape: readonly number[]): Value => {
    const value = source(name, shape);
    if (!sameShape(value.shape, shape))
      throw new ShapeError(`parameter ${name}`, `the shape [${shape.join(", ")}]`, [value.shape]);
    return value;
  };
  const affine = (path: string, width: number): [Value, Value] => [
    read(`${path}.weight`, [width]),
    read(`${path}.bias`, [width]),
  ];
  return {
    linear: (name, x, out, bias = true) =>
      within(name, () => {
        const path = full(name);
        if (x.shape.length !== 2) throw new ShapeError("linear", "tokens [tokens, width]", [x.shape]);
        const weight = read(`${path}.weight`, [out, x.shape[1]!]);
        return rule.linear(path, x, weight, bias ? read(`${path}.bias`, [out]) : undefined);
      }),
    conv: (name, x, out, { kernel = 1, bias = true, ...options } = {}) =>
      within(name, () => {
        const path = full(name);
        const groups = options.groups ?? 1;
        const weight = read(`${path}.weight`, [out, x.shape[0]! / groups, kernel, kernel]);
        return rule.conv(path, x, weight, bias ? read(`${path}.bias`, [out]) : undefined, options);
      }),
    groupNorm: (name, x, attributes) =>
      within(name, () => groupNorm(x, ...affine(full(name), x.shape[0]!), attributes)),
    layerNorm: (name, x, epsilon) =>
      within(name, () => layerNorm(x, ...affine(full(name), x.shape[x.shape.length - 1]!), epsilon)),
    parameter: (name, shape) => within(name, () => read(full(name), shape)),
    at: (name) => layers(source, rule, `${prefix}${name}.`),
  };
}
