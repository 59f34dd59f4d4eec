import type { Operation } from "./operation.ts";
import { operationsInOrder } from "./order.ts";
import type { Value } from "./value.ts";

/** Operations between `from` and `result`, in order: those that some of `from` reaches, up to the next of `from`. */
export function operationsBetween(from: readonly Value[], result: Value): readonly Operation[] {
  const reached = new Set<Value>(from);
  return operationsInOrder([result], new Set(from)).filter((operation) => {
    const inside = operation.inputs.some((x) => reached.has(x));
    if (inside) for (const output of operation.outputs) reached.add(output);
    return inside;
  });
}

/** A copy of an operation over other inputs of the same shapes and types. */
function copyOf({ kind, definition, attributes, outputs }: Operation, inputs: readonly Value[]): Operation {
  const copies: Value[] = [];
  const operation: Operation = { kind, definition, attributes, inputs, outputs: copies };
  outputs.forEach(({ type, shape }, index) => {
    copies.push({ type, shape, source: { kind: "operation", operation, index } });
  });
  return operation;
}

/**
 * `result` computed from `replacements` in the place of `from`. Operations that depend on `from` are copied, all others
 * are shared with the original. Shapes and types must agree: nothing is inferred again.
 */
export function substitute(result: Value, from: readonly Value[], replacements: readonly Value[]): Value {
  const replaced = new Map<Value, Value>(from.map((value, i) => [value, replacements[i]!]));
  const current = (value: Value): Value => replaced.get(value) ?? value;
  for (const operation of operationsBetween(from, result)) {
    const copy = copyOf(operation, operation.inputs.map(current));
    operation.outputs.forEach((output, i) => {
      if (!replaced.has(output)) replaced.set(output, copy.outputs[i]!);
    });
  }
  return current(result);
}
