import { div, mul, scale } from "../../graph/ops/arithmetic.ts";
import { neg } from "../../graph/ops/elementwise.ts";
import type { Value } from "../../graph/value.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

/**
 * A gradient that is smaller than the result may be passed on to an operand of the result's own shape. To a smaller
 * operand the sum over the broadcast axes is due, which needs the whole.
 */
const toOperand = (gradient: Value, operand: Value, result: Value): Value =>
  elementCount(operand.shape) === elementCount(result.shape) ? gradient : whole(gradient, result.shape);

export const addRule: Rule<"add"> = (g, { inputs: [a, b], outputs: [y] }) => [
  toOperand(g, a!, y!),
  toOperand(g, b!, y!),
];

export const subRule: Rule<"sub"> = (g, { inputs: [a, b], outputs: [y], wants }) => [
  toOperand(g, a!, y!),
  wants[1] ? neg(toOperand(g, b!, y!)) : undefined,
];

export const mulRule: Rule<"mul"> = (g, { inputs: [a, b], outputs: [y], wants }) => {
  if (a === b) return [scale(mul(g, a!), 2), undefined];
  return [wants[0] ? mul(toOperand(g, a!, y!), b!) : undefined, wants[1] ? mul(toOperand(g, b!, y!), a!) : undefined];
};

export const divRule: Rule<"div"> = (g, { inputs: [a, b], outputs: [y], wants }) => [
  wants[0] ? div(toOperand(g, a!, y!), b!) : undefined,
  wants[1] ? neg(div(mul(toOperand(g, b!, y!), y!), b!)) : undefined,
];
