import { ShapeError } from "../errors.ts";
import { scalar, type Value } from "../graph/value.ts";
import { pullback } from "./pullback.ts";

/**
 * Gradients of a scalar loss (shape `[]`, float32) with respect to `parameters`, in their shapes and order.
 * They are values of the same graph, made of ordinary operations, so that training runs wherever inference runs.
 * @throws ShapeError when the loss is not a scalar
 */
export function backward(loss: Value, parameters: readonly Value[]): readonly Value[] {
  if (loss.shape.length !== 0) throw new ShapeError("backward", "a scalar loss (shape [])", [loss.shape]);
  return pullback([loss], [scalar(1)], parameters);
}
