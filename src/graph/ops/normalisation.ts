import { ShapeError } from "../../errors.ts";
import { apply, apply1, define, type OperationDefinition } from "../operation.ts";
import { dimension, expectRank } from "../shapes.ts";
import type { Value } from "../value.ts";
import { add, mul, scale, shift, sub } from "./arithmetic.ts";
import { reciprocal, sqrt } from "./elementwise.ts";
import { reduceSum, reduceSumSquare } from "./reduction.ts";
import { reshape } from "./structure.ts";

/** Over the last axis; also returns the mean and 1 / standard deviation `[…, 1]`, which the gradient needs. */
export const layerNormOperation: OperationDefinition<"layerNorm", { readonly epsilon: number }> = define({
  kind: "layerNorm",
  infer: ([x, gamma, beta]) => {
    const width = dimension(x!, -1);
    for (const parameter of [gamma!, beta!]) {
      if (parameter.shape.length !== 1 || parameter.shape[0] !== width) {
        throw new ShapeError("layerNorm", `a weight and a bias of ${width} numbers`, [x!.shape, parameter.shape]);
      }
    }
    const statistics = { type: x!.type, shape: [...x!.shape.slice(0, -1), 1] };
    return [{ type: x!.type, shape: x!.shape }, statistics, statistics];
  },
  emit: (emitter, inputs, outputs, { epsilon }) =>
    emitter.node("LayerNormalization", inputs, outputs, { axis: { int: -1 }, epsilon: { float: epsilon } }),
});

export interface GroupNormAttributes {
  readonly groups: number;
  readonly epsilon: number;
}

const expectGroups = (x: Value, gamma: Value, beta: Value, groups: number): void => {
  expectRank("groupNorm", x, 4, "feature maps [channels, batch, height, width]");
  const channels = x.shape[0]!;
  if (channels % groups !== 0)
    throw new ShapeError("groupNorm", `channels that divide into ${groups} groups`, [x.shape]);
  for (const parameter of [gamma, beta]) {
    if (parameter.shape.length !== 1 || parameter.shape[0] !== channels) {
      throw new ShapeError("groupNorm", `a weight and a bias of ${channels} numbers`, [x.shape, parameter.shape]);
    }
  }
};

/** Group normalisation of a single picture, whose groups lie together in memory: the runtime's own kernel serves. */
export const groupNormOperation: OperationDefinition<"groupNorm", GroupNormAttributes> = define({
  kind: "groupNorm",
  infer: ([x, gamma, beta], { groups }) => {
    expectGroups(x!, gamma!, beta!, groups);
    if (x!.shape[1] !== 1) throw new ShapeError("groupNorm", "a batch of one", [x!.shape]);
    return [{ type: x!.type, shape: x!.shape }];
  },
  emit: (emitter, [x, gamma, beta], outputs, { groups, epsilon }, operation) => {
    const shape = operation.inputs[0]!.shape;
    const channels = shape[0]!;
    const vector = (value: number): string =>
      emitter.constant({ type: "float32", shape: [groups], data: new Float32Array(groups).fill(value) });
    const grouped = emitter.fresh("Reshape", [x!, emitter.ints([1, groups, -1])]);
    const normal = emitter.fresh("InstanceNormalization", [grouped, vector(1), vector(0)], {
      epsilon: { float: epsilon },
    });
    const back = emitter.fresh("Reshape", [normal, emitter.ints(shape)]);
    const column = emitter.ints([channels, 1, 1, 1]);
    const scaled = emitter.fresh("Mul", [back, emitter.fresh("Reshape", [gamma!, column])]);
    emitter.node("Add", [scaled, emitter.fresh("Reshape", [beta!, column])], outputs);
  },
});

/**
 * Group normalisation of a batch as arithmetic: two sums per channel and picture, the group's sums on tiny arrays, and
 * one multiply-add per element. Its gradient, by the rules of its parts, costs seven passes.
 * Sums are of x and x^2; with a mean far above the spread that loses digits, which activations of these networks avoid.
 */
export function groupNormOfBatch(x: Value, gamma: Value, beta: Value, { groups, epsilon }: GroupNormAttributes): Value {
  expectGroups(x, gamma, beta, groups);
  const [channels, batch, height, width] = x.shape as [number, number, number, number];
  const each = channels / groups;
  const perGroup = (perChannel: Value): Value =>
    scale(reduceSum(reshape(perChannel, [groups, each, batch]), [1]), 1 / (each * height * width));
  const mean = perGroup(reduceSum(x, [2, 3]));
  const variance = sub(perGroup(reduceSumSquare(x, [2, 3])), mul(mean, mean));
  const inverse = reciprocal(sqrt(shift(variance, epsilon)));
  const factor = mul(reshape(gamma, [groups, each, 1]), inverse);
  const offset = sub(reshape(beta, [groups, each, 1]), mul(mean, factor));
  const perMap = (value: Value): Value => reshape(value, [channels, batch, 1, 1]);
  return add(mul(x, perMap(factor)), perMap(offset));
}

/**
 * Group normalisation of maps `[channels, batch, height, width]` with a weight and a bias `[channels]`.
 * @throws ShapeError
 */
export function groupNorm(x: Value, gamma: Value, beta: Value, attributes: GroupNormAttributes): Value {
  return x.shape[1] === 1
    ? apply1(groupNormOperation, [x, gamma, beta], attributes)
    : groupNormOfBatch(x, gamma, beta, attributes);
}

/** Layer normalisation over the last axis with a weight and a bias of its width. @throws ShapeError */
export function layerNorm(x: Value, gamma: Value, beta: Value, epsilon: number): Value {
  return apply(layerNormOperation, [x, gamma, beta], { epsilon })[0]!;
}
