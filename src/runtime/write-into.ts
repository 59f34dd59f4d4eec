import { RuntimeFailure } from "../errors.ts";
import { sameShape } from "../graph/shapes.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/** @throws RuntimeFailure unless the tensor given for an output has as many elements as its shape says */
export function checkInto(name: string, { data, shape }: Tensor): void {
  if (data.length !== elementCount(shape)) {
    throw new RuntimeFailure(
      `The tensor given for the output "${name}" has ${data.length} elements for the shape [${shape.join(", ")}].`,
    );
  }
}

/**
 * A result in the tensor that the caller gave for it, if any: runtimes hand out arrays of their own, and a caller's is
 * filled from them, so that it can be kept and reused.
 * @throws RuntimeFailure when type or shape differ
 */
export function writeInto(name: string, value: Tensor, target: Tensor | undefined): Tensor {
  if (target === undefined) return value;
  if (target.type !== value.type || !sameShape(target.shape, value.shape)) {
    throw new RuntimeFailure(
      `The tensor given for the output "${name}" is ${target.type} [${target.shape.join(", ")}], but the graph gives ${value.type} [${value.shape.join(", ")}].`,
    );
  }
  (target.data as Float32Array).set(value.data as Float32Array);
  return target;
}
