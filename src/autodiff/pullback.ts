import { ShapeError } from "../errors.ts";
import type { Operation } from "../graph/operation.ts";
import { add } from "../graph/ops/arithmetic.ts";
import type { AttributesOf, OperationKind } from "../graph/ops/index.ts";
import { operationsInOrder } from "../graph/order.ts";
import { broadcastShapes, sameShape } from "../graph/shapes.ts";
import type { Value } from "../graph/value.ts";
import { reduceTo, whole } from "./broadcast.ts";
import type { Rule, RuleContext } from "./rule.ts";
import { rules } from "./rules/index.ts";
import { zeros } from "./zeros.ts";

const differentiable = (value: Value): boolean =>
  value.type === "float32" || value.type === "float16" || value.type === "float64" || value.type === "bfloat16";

/** Operations from which some of `wrt` can be reached against the arrows: only these carry gradients. */
function dependents(order: readonly Operation[], wrt: ReadonlySet<Value>): ReadonlySet<Value> {
  const live = new Set<Value>(wrt);
  for (const operation of order) {
    if (operation.kind !== "detach" && operation.inputs.some((x) => live.has(x))) {
      for (const output of operation.outputs) if (differentiable(output)) live.add(output);
    }
  }
  return live;
}

function applyRule(
  operation: Operation,
  gradients: readonly (Value | undefined)[],
  wants: readonly boolean[],
): readonly (Value | undefined)[] {
  // The table's type ties rule and attributes together by kind; an operation knows its kind only at run time.
  const rule = rules[operation.kind as OperationKind] as Rule;
  const context: RuleContext = {
    inputs: operation.inputs,
    outputs: operation.outputs,
    attributes: operation.attributes as AttributesOf<OperationKind>,
    operation,
    wants,
    gradients,
  };
  return rule(gradients[0] ?? zeros(operation.outputs[0]!.type, []), context);
}

/** Adds two contributions, either of which may still be smaller than the value and broadcast to it. */
function accumulate(a: Value | undefined, b: Value, shape: readonly number[]): Value {
  if (a === undefined) return b;
  const sum = broadcastShapes("gradient", a.shape, b.shape);
  return sameShape(sum, a.shape) || sameShape(sum, b.shape) ? add(a, b) : add(whole(a, shape), b);
}

/**
 * Vector-Jacobian product by reverse mode: for results `outputs` with gradients `outputGradients`, the gradients of
 * `wrt`, each in its value's shape (zeros where nothing depends on it). What it returns is a graph like any other.
 * Where one of `wrt` depends on another, the other's gradient counts that path too.
 * @throws ShapeError when a gradient does not have its result's shape
 */
export function pullback(
  outputs: readonly Value[],
  outputGradients: readonly Value[],
  wrt: readonly Value[],
): readonly Value[] {
  return throughOperations(operationsInOrder(outputs), outputs, outputGradients, wrt);
}

/**
 * The same for `wrt` taken as independent: nothing behind them is looked at. Rules that differentiate a part of a graph
 * need this, since the differentiation that called them goes on behind its inputs.
 * @throws ShapeError when a gradient does not have its result's shape
 */
export function localPullback(
  outputs: readonly Value[],
  outputGradients: readonly Value[],
  wrt: readonly Value[],
): readonly Value[] {
  return throughOperations(operationsInOrder(outputs, new Set(wrt)), outputs, outputGradients, wrt);
}

function throughOperations(
  order: readonly Operation[],
  outputs: readonly Value[],
  outputGradients: readonly Value[],
  wrt: readonly Value[],
): readonly Value[] {
  const live = dependents(order, new Set(wrt));
  const gradients = new Map<Value, Value>();
  outputs.forEach((output, i) => {
    const gradient = outputGradients[i]!;
    if (!sameShape(output.shape, gradient.shape))
      throw new ShapeError("pullback", "a gradient of the result's shape", [output.shape, gradient.shape]);
    gradients.set(output, accumulate(gradients.get(output), gradient, output.shape));
  });
  const wanted = new Set(wrt);
  for (let i = order.length - 1; i >= 0; i--) {
    const operation = order[i]!;
    const given = operation.outputs.map((output) => (live.has(output) ? gradients.get(output) : undefined));
    if (given.every((gradient) => gradient === undefined)) continue;
    const wants = operation.inputs.map((x) => live.has(x));
    if (!wants.includes(true)) continue;
    applyRule(operation, given, wants).forEach((contribution, index) => {
      const x = operation.inputs[index]!;
      if (contribution === undefined || !live.has(x)) return;
      gradients.set(x, accumulate(gradients.get(x), reduceTo(contribution, x.shape), x.shape));
    });
    for (const output of operation.outputs) if (!wanted.has(output)) gradients.delete(output);
  }
  return wrt.map((value) => {
    const gradient = gradients.get(value);
    return gradient === undefined ? zeros(value.type, value.shape) : whole(gradient, value.shape);
  });
}
