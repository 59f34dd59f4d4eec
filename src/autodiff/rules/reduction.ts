import { mul, scale, sub } from "../../graph/ops/arithmetic.ts";
import { reduceSum } from "../../graph/ops/reduction.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

/** The gradient broadcasts as it is: no copy is made until someone needs it whole. */
export const reduceSumRule: Rule<"reduceSum"> = (g, { outputs: [y] }) => [whole(g, y!.shape)];

export const reduceSumSquareRule: Rule<"reduceSumSquare"> = (g, { inputs: [x], outputs: [y] }) => [
  mul(x!, scale(whole(g, y!.shape), 2)),
];

/** dx = y (g - sum(g y)) */
export const softmaxRule: Rule<"softmax"> = (g, { outputs: [y] }) => [
  mul(y!, sub(g, reduceSum(mul(y!, g), [y!.shape.length - 1]))),
];
