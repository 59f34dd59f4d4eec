import { recomputed } from "../graph/ops/recompute.ts";
import { operationsBetween, substitute } from "../graph/substitute.ts";
import { input, type Value } from "../graph/value.ts";

/** Values that operations of a sub-graph take from outside it, each once. */
function capturedBy(parameters: readonly Value[], result: Value): readonly Value[] {
  const operations = operationsBetween(parameters, result);
  const inner = new Set<Value>([...parameters, ...operations.flatMap(({ outputs }) => outputs)]);
  return [...new Set(operations.flatMap(({ inputs }) => inputs.filter((x) => !inner.has(x))))];
}

/**
 * Gradient checkpointing: `body(inputs)`, whose inner values the backward pass computes again instead of keeping them.
 *
 * What is kept is `inputs` and whatever `body` takes from outside (weights); the second computation starts when the
 * gradient of the result is there, so that its memory is free until then. Costs one more forward pass of `body`.
 * @param body a pure function of its arguments, called once, with stand-ins for the inputs
 * @throws ShapeError from `body`
 */
export function recompute(inputs: readonly Value[], body: (inputs: readonly Value[]) => Value): Value {
  const parameters = inputs.map(({ shape, type }, i) => input(`recompute ${i}`, shape, type));
  const result = body(parameters);
  const captured = capturedBy(parameters, result);
  return recomputed(substitute(result, parameters, inputs), inputs, { parameters, result, captured });
}
