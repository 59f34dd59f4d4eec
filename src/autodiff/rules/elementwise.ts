import { add, div, mul, scale, shift, sub } from "../../graph/ops/arithmetic.ts";
import { cast, cos, erf, exp, neg, sigmoid, sign, sin, where } from "../../graph/ops/elementwise.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";
import { zeros } from "../zeros.ts";

export const negRule: Rule<"neg"> = (g) => [neg(g)];
export const expRule: Rule<"exp"> = (g, { outputs: [y] }) => [mul(y!, g)];
export const logRule: Rule<"log"> = (g, { inputs: [x] }) => [div(g, x!)];
export const sqrtRule: Rule<"sqrt"> = (g, { outputs: [y] }) => [scale(div(g, y!), 0.5)];
export const reciprocalRule: Rule<"reciprocal"> = (g, { outputs: [y] }) => [neg(mul(mul(y!, y!), g))];
export const absRule: Rule<"abs"> = (g, { inputs: [x] }) => [mul(sign(x!), g)];
export const signRule: Rule<"sign"> = () => [undefined];
export const sinRule: Rule<"sin"> = (g, { inputs: [x] }) => [mul(cos(x!), g)];
export const cosRule: Rule<"cos"> = (g, { inputs: [x] }) => [neg(mul(sin(x!), g))];
/** erf'(x) = 2 / sqrt(pi) exp(-x^2) */
export const erfRule: Rule<"erf"> = (g, { inputs: [x] }) => [
  mul(scale(exp(neg(mul(x!, x!))), 2 / Math.sqrt(Math.PI)), g),
];
/** s (1 - s) = s - s^2 */
export const sigmoidRule: Rule<"sigmoid"> = (g, { outputs: [s] }) => [mul(sub(s!, mul(s!, s!)), g)];
export const tanhRule: Rule<"tanh"> = (g, { outputs: [y] }) => [sub(g, mul(mul(y!, y!), g))];
export const reluRule: Rule<"relu"> = (g, { outputs: [y] }) => [mul(sign(y!), g)];
export const detachRule: Rule<"detach"> = () => [undefined];

/** y = x s(kx): y' = s + k y (1 - s) */
export const swishRule: Rule<"swish"> = (g, { inputs: [x], outputs: [y], attributes: { factor } }) => {
  const s = sigmoid(scale(x!, factor));
  return [mul(add(s, scale(sub(y!, mul(y!, s)), factor)), g)];
};

/** gelu'(x) = Phi(x) + x phi(x) = (1 + erf(a) + 2 / sqrt(pi) a exp(-a^2)) / 2 with a = x / sqrt(2) */
export const geluRule: Rule<"gelu"> = (g, { inputs: [x] }) => {
  const a = scale(x!, Math.SQRT1_2);
  const bump = mul(scale(a, 2 / Math.sqrt(Math.PI)), exp(neg(mul(a, a))));
  return [mul(scale(shift(add(erf(a), bump), 1), 0.5), g)];
};

export const castRule: Rule<"cast"> = (g, { inputs: [x] }) => [
  x!.type === "float32" || x!.type === "float64" || x!.type === "float16" ? cast(g, x!.type) : undefined,
];

export const whereRule: Rule<"where"> = (g, { inputs: [condition], outputs: [y], wants }) => {
  const full = whole(g, y!.shape);
  const zero = zeros(g.type, []);
  return [
    undefined,
    wants[1] ? where(condition!, full, zero) : undefined,
    wants[2] ? where(condition!, zero, full) : undefined,
  ];
};

export const greaterRule: Rule<"greater"> = () => [undefined, undefined];
