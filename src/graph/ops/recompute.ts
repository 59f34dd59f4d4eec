import { apply1, define, type OperationDefinition } from "../operation.ts";
import type { Value } from "../value.ts";

/** A sub-graph as a template: what it gives, written over stand-ins for what it takes. */
export interface RecomputeAttributes {
  /** Stand-ins for the inputs, which only the template uses. */
  readonly parameters: readonly Value[];
  /** The template's result. */
  readonly result: Value;
  /** Values from outside that the template uses directly: weights, as a rule. */
  readonly captured: readonly Value[];
}

/** Inputs: the sub-graph's result, then what its parameters stand for, then what it captured. The result, unchanged. */
export const recomputeOperation: OperationDefinition<"recompute", RecomputeAttributes> = define({
  kind: "recompute",
  infer: ([result]) => [{ type: result!.type, shape: result!.shape }],
  emit: (emitter, [result], outputs) => emitter.node("Identity", [result!], outputs),
});

/** Marks `result` as one whose inner values the backward pass computes again from `inputs` and `captured`. */
export function recomputed(result: Value, inputs: readonly Value[], attributes: RecomputeAttributes): Value {
  return apply1(recomputeOperation, [result, ...inputs, ...attributes.captured], attributes);
}
