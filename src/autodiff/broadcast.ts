import { reduceSum } from "../graph/ops/reduction.ts";
import { expand, reshape } from "../graph/ops/structure.ts";
import { sameShape } from "../graph/shapes.ts";
import type { Value } from "../graph/value.ts";

/** Sums a gradient over the axes along which its value had been broadcast; one that is smaller stays as it is. */
export function reduceTo(gradient: Value, shape: readonly number[]): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((n, i) => (i < extra || (shape[i - extra] === 1 && n !== 1) ? [i] : []));
  const summed = axes.length === 0 ? gradient : reduceSum(gradient, axes);
  return extra > 0 ? reshape(summed, summed.shape.slice(extra)) : summed;
}

/** A gradient in the full shape of its value. */
export function whole(gradient: Value, shape: readonly number[]): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = shape.length - gradient.shape.length;
  return expand(
    missing > 0 ? reshape(gradient, [...new Array<number>(missing).fill(1), ...gradient.shape]) : gradient,
    shape,
  );
}
