import { elementCount } from "../../tensor/tensor.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import type { Value } from "../value.ts";
import { onnxType } from "./elementwise.ts";

/** The first input, not to be computed from before the second is known: recomputation uses it to stay late. */
export const barrierOperation: OperationDefinition<"barrier", null> = define({
  kind: "barrier",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, [x, after], outputs, _, operation) => {
    const [value, other] = operation.inputs;
    if (elementCount(other!.shape) === 0) return emitter.node("Identity", [x!], outputs);
    // Whether one element of `after` is less than itself: zero, infinities and NaN included, and no optimiser knows it.
    const flat = emitter.fresh("Reshape", [after!, emitter.ints([-1])]);
    const first = emitter.fresh("Slice", [flat, emitter.ints([0]), emitter.ints([1]), emitter.ints([0])]);
    const element = emitter.fresh("Reshape", [first, emitter.ints([])]);
    const never = emitter.fresh("Less", [element, element]);
    emitter.node("Add", [x!, emitter.fresh("Cast", [never], { to: { int: onnxType[value!.type] } })], outputs);
  },
});

/** `x`, available only after `after` has been computed; both of numeric types. */
export function barrier(x: Value, after: Value): Value {
  return apply1(barrierOperation, [x, after], null);
}
