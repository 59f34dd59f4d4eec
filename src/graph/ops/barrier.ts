import { apply1, define, type OperationDefinition } from "../operation.ts";
import type { Value } from "../value.ts";

/** The first input, not to be computed from before the second is known: recomputation uses it to stay late. */
export const barrierOperation: OperationDefinition<"barrier", null> = define({
  kind: "barrier",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, [x, after], outputs, _, operation) => {
    // One element of `after`, times zero: a dependence that no optimiser removes.
    const flat = emitter.fresh("Reshape", [after!, emitter.ints([-1])]);
    const first = emitter.fresh("Slice", [flat, emitter.ints([0]), emitter.ints([1]), emitter.ints([0])]);
    const zero = emitter.fresh("Mul", [
      first,
      emitter.constant({ type: "float32", shape: [], data: Float32Array.of(0) }),
    ]);
    const scalarZero = emitter.fresh("Reshape", [zero, emitter.ints([])]);
    const cast = operation.inputs[0]!.type === "float32" ? scalarZero : emitter.fresh("CastLike", [scalarZero, x!]);
    emitter.node("Add", [x!, cast], outputs);
  },
});

/** `x`, available only after `after` (float32) has been computed. */
export function barrier(x: Value, after: Value): Value {
  return apply1(barrierOperation, [x, after], null);
}
