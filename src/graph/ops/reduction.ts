import { apply1, define, type OperationDefinition } from "../operation.ts";
import { axisOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { mul, scale } from "./arithmetic.ts";
import { reshape } from "./structure.ts";

function reduction<const K extends string>(
  kind: K,
  onnx: string,
): OperationDefinition<K, { readonly axes: readonly number[] }> {
  return define({
    kind,
    infer: ([x], { axes }) => [{ type: x!.type, shape: x!.shape.map((n, i) => (axes.includes(i) ? 1 : n)) }],
    emit: (emitter, [x], outputs, { axes }) =>
      emitter.node(onnx, [x!, emitter.ints(axes)], outputs, { keepdims: { int: 1 } }),
  });
}

/** Sums over axes that stay as ones. */
export const reduceSumOperation: OperationDefinition<"reduceSum", { readonly axes: readonly number[] }> = reduction(
  "reduceSum",
  "ReduceSum",
);
/** Sum of squares over axes that stay as ones, without an intermediate. */
export const reduceSumSquareOperation: OperationDefinition<"reduceSumSquare", { readonly axes: readonly number[] }> =
  reduction("reduceSumSquare", "ReduceSumSquare");

export const softmaxOperation: OperationDefinition<"softmax", null> = define({
  kind: "softmax",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, inputs, outputs) => emitter.node("Softmax", inputs, outputs, { axis: { int: -1 } }),
});

const resolve = (operation: string, x: Value, axes: readonly number[] | undefined): readonly number[] =>
  axes === undefined ? x.shape.map((_, i) => i) : axes.map((axis) => axisOf(operation, x, axis)).sort((a, b) => a - b);

/** Sum over axes (all unless told); they stay as size 1. @throws ShapeError */
export function reduceSum(x: Value, axes?: readonly number[]): Value {
  const over = resolve("reduceSum", x, axes);
  if (over.every((axis) => x.shape[axis] === 1)) return x;
  return apply1(reduceSumOperation, [x], { axes: over });
}

/** Sum of squares over axes (all unless told); they stay as size 1. @throws ShapeError */
export function reduceSumSquare(x: Value, axes?: readonly number[]): Value {
  const over = resolve("reduceSumSquare", x, axes);
  return over.length === 0 ? mul(x, x) : apply1(reduceSumSquareOperation, [x], { axes: over });
}

/** Mean over axes (all unless told); they stay as size 1. @throws ShapeError */
export function reduceMean(x: Value, axes?: readonly number[]): Value {
  const over = resolve("reduceMean", x, axes);
  return scale(reduceSum(x, over), 1 / over.reduce((n, axis) => n * x.shape[axis]!, 1));
}

/** The mean of all elements as a scalar, shape `[]`. */
export function meanOfAll(x: Value): Value {
  return reshape(reduceMean(x), []);
}

/** exp(x) / sum exp(x) over the last axis. */
export function softmax(x: Value): Value {
  return apply1(softmaxOperation, [x], null);
}
