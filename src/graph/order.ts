import type { Operation } from "./operation.ts";
import type { Value } from "./value.ts";

const nowhere: ReadonlySet<Value> = new Set();

/**
 * All operations that `outputs` depend on, each after those it needs; what lies behind values of `stop` is left out.
 * Iterative: graphs are deeper than the stack.
 */
export function operationsInOrder(outputs: readonly Value[], stop: ReadonlySet<Value> = nowhere): readonly Operation[] {
  const done = new Set<Operation>();
  const order: Operation[] = [];
  const stack: { operation: Operation; next: number }[] = [];
  const visit = (value: Value): void => {
    if (value.source.kind === "operation" && !done.has(value.source.operation) && !stop.has(value)) {
      stack.push({ operation: value.source.operation, next: 0 });
    }
  };
  for (const output of outputs) {
    visit(output);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (done.has(top.operation)) stack.pop();
      else if (top.next < top.operation.inputs.length) visit(top.operation.inputs[top.next++]!);
      else {
        done.add(top.operation);
        order.push(top.operation);
        stack.pop();
      }
    }
  }
  return order;
}
