import { add, div, mul, sub } from "../../graph/ops/arithmetic.ts";
import { type Conv2dOptions, conv2d } from "../../graph/ops/convolution.ts";
import { sqrt } from "../../graph/ops/elementwise.ts";
import { reshape } from "../../graph/ops/structure.ts";
import { scalar, type Value } from "../../graph/value.ts";
import type { Layers } from "../../models/layers.ts";

/** What the networks that measure take: TensorFlow's default. */
const epsilon = 0.001;

/**
 * A convolution without bias whose batch normalisation, by the statistics that are stored, is folded into kernel and bias.
 * @param kernels weight `[out, in / groups, kh, kw]`
 * @param norm names of the normalisation's parameters are `NORM.weight`, `.bias`, `.running_mean` and `.running_var`
 * @throws ShapeError
 */
export function batchNormedConv(layers: Layers, x: Value, kernels: Value, norm: string, options: Conv2dOptions): Value {
  const out = kernels.shape[0]!;
  const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((part) =>
    layers.parameter(`${norm}.${part}`, [out]),
  ) as [Value, Value, Value, Value];
  const factor = div(gamma, sqrt(add(variance, scalar(epsilon))));
  return conv2d(x, mul(kernels, reshape(factor, [out, 1, 1, 1])), sub(beta, mul(mean, factor)), options);
}
