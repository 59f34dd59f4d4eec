import { encode } from "../../graph/encode.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { Session } from "../../runtime/runtime.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Batch, layParametersOut, parameterTensors, type TrainingState } from "../../training/engine.ts";
import { emaPrefix, type Objective } from "../../training/objective.ts";
import { resultOf } from "./context.ts";

/** Measures an objective on batches that never change, so that its values at two steps can be compared. */
export interface FixedLoss {
  /** Mean loss over the batches, with the averaged weights where they are kept. */
  measure(state: TrainingState, batches: readonly Batch[]): Promise<number>;
  dispose(): Promise<void>;
}

/** The loss of an objective without its gradients; compiled when it is first measured. */
export function fixedLoss({ loss, parameters }: Objective): FixedLoss {
  const runtime = onnxRuntime();
  const layout = layParametersOut(parameters.map(({ name, stored }) => ({ name, shape: stored })));
  let compiled: Promise<Session> | undefined;
  return {
    async measure(state, batches) {
      compiled ??= runtime.compile(encode({ loss }));
      const session = await compiled;
      const feeds: Record<string, Tensor> = {};
      for (const [name, tensor] of parameterTensors(layout, resultOf(state))) {
        for (const key of [name, emaPrefix + name]) if (session.inputs.includes(key)) feeds[key] = tensor;
      }
      let sum = 0;
      for (const batch of batches) sum += Number((await session.run({ ...feeds, ...batch }))["loss"]!.data[0]);
      return sum / batches.length;
    },
    dispose: () => runtime.dispose(),
  };
}
