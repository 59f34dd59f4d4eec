import { gather, pad, reshape, reverse, scatterAdd, slice, transpose } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

export const reshapeRule: Rule<"reshape"> = (g, { inputs: [x], outputs: [y] }) => [
  reshape(whole(g, y!.shape), x!.shape),
];

export const transposeRule: Rule<"transpose"> = (g, { outputs: [y], attributes: { order } }) => {
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return [transpose(whole(g, y!.shape), inverse)];
};

export const expandRule: Rule<"expand"> = (g, { outputs: [y] }) => [whole(g, y!.shape)];

export const concatRule: Rule<"concat"> = (g, { inputs, outputs: [y], attributes: { axis }, wants }) => {
  const full = whole(g, y!.shape);
  let begin = 0;
  return inputs.map((x, i) => {
    const end = begin + x.shape[axis]!;
    const part = wants[i] ? slice(full, axis, begin, end) : undefined;
    begin = end;
    return part;
  });
};

const padsAlong = (rank: number, axis: number, before: number, after: number): number[] => {
  const pads = new Array<number>(2 * rank).fill(0);
  pads[axis] = before;
  pads[rank + axis] = after;
  return pads;
};

export const sliceRule: Rule<"slice"> = (g, { inputs: [x], outputs: [y], attributes: { axis, begin, end } }) => [
  pad(whole(g, y!.shape), padsAlong(x!.shape.length, axis, begin, x!.shape[axis]! - end)),
];

export const padRule: Rule<"pad"> = (g, { inputs: [x], outputs: [y], attributes: { pads } }) => {
  let inner: Value = whole(g, y!.shape);
  x!.shape.forEach((n, axis) => {
    inner = slice(inner, axis, pads[axis]!, pads[axis]! + n);
  });
  return [inner];
};

export const gatherRule: Rule<"gather"> = (g, { inputs: [table, indices], outputs: [y] }) => [
  scatterAdd(indices!, whole(g, y!.shape), table!.shape[0]!),
  undefined,
];

export const scatterAddRule: Rule<"scatterAdd"> = (g, { inputs: [indices], outputs: [y] }) => [
  undefined,
  gather(whole(g, y!.shape), indices!),
];

export const reverseRule: Rule<"reverse"> = (g, { outputs: [y], attributes: { axis } }) => [
  reverse(whole(g, y!.shape), axis),
];
