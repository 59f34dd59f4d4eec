import type { Session } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Batch, type ParameterLayout, parameterTensors } from "./engine.ts";
import { emaPrefix, gradientPrefix, metricPrefix } from "./objective.ts";

/** Sums over the micro-batches that one worker ran. */
export interface GradientSum {
  loss: number;
  readonly metrics: Record<string, number>;
}

/**
 * Runs the step's graph on micro-batches and adds up the gradients in `gradients` (flat, overwritten).
 * @param parameters flat values of all parameters; `ema` is read where the graph asks for the averaged copy
 */
export async function sumGradients(
  session: Session,
  layout: ParameterLayout,
  batches: readonly Batch[],
  parameters: Float32Array,
  ema: Float32Array | undefined,
  gradients: Float32Array,
): Promise<GradientSum> {
  const feeds: Record<string, Tensor> = Object.fromEntries(parameterTensors(layout, parameters));
  if (ema !== undefined) {
    for (const [name, tensor] of parameterTensors(layout, ema)) {
      if (session.inputs.includes(emaPrefix + name)) feeds[emaPrefix + name] = tensor;
    }
  }
  const sum: GradientSum = { loss: 0, metrics: {} };
  let first = true;
  for (const batch of batches) {
    const results = await session.run({ ...feeds, ...batch });
    sum.loss += Number(results["loss"]!.data[0]);
    for (const [name, tensor] of Object.entries(results)) {
      if (!name.startsWith(metricPrefix)) continue;
      const metric = name.slice(metricPrefix.length);
      sum.metrics[metric] = (sum.metrics[metric] ?? 0) + Number(tensor.data[0]);
    }
    for (const { name, offset } of layout.entries) {
      const gradient = results[gradientPrefix + name]!.data as Float32Array;
      if (first) gradients.set(gradient, offset);
      else for (let i = 0; i < gradient.length; i++) gradients[offset + i]! += gradient[i]!;
    }
    first = false;
  }
  if (first) gradients.fill(0);
  return sum;
}
