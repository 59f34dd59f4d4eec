import { backward } from "../autodiff/backward.ts";
import { encode, type OnnxModel } from "../graph/encode.ts";
import type { Value } from "../graph/value.ts";
import { layParametersOut, type ParameterLayout } from "./engine.ts";
import type { TrainableParameter } from "./parameters.ts";

/** What is minimised, over which parameters. Everything else that the graph reads comes with each batch. */
export interface Objective {
  /** Scalar, shape `[]`. */
  readonly loss: Value;
  /** Further scalars to log. */
  readonly metrics: Readonly<Record<string, Value>>;
  readonly parameters: readonly TrainableParameter[];
}

/** The flat layout of an objective's parameters, in their order, as training stores them. */
export function layoutOf({ parameters }: Objective): ParameterLayout {
  return layParametersOut(parameters.map(({ name, stored }) => ({ name, shape: stored })));
}

/** Names of the graph's results; inputs of the averaged copy carry a prefix too. */
export const gradientPrefix = "gradient.";
export const metricPrefix = "metric.";
export const emaPrefix = "ema.";

/** The graph of one training step: loss, metrics, and the gradient of each parameter. */
export function encodeObjective({ loss, metrics, parameters }: Objective): OnnxModel {
  const gradients = backward(
    loss,
    parameters.map(({ value }) => value),
  );
  return encode({
    loss,
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [metricPrefix + name, value])),
    ...Object.fromEntries(parameters.map(({ name }, i) => [gradientPrefix + name, gradients[i]!])),
  });
}
