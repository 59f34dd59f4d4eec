import { ShapeError } from "../errors.ts";
import type { Value } from "./value.ts";

/** Shape of the result of broadcasting, as NumPy and ONNX do it. @throws ShapeError naming the operation */
export function broadcastShapes(operation: string, a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new ShapeError(operation, "shapes that broadcast", [a, b]);
    result.push(x === 1 ? y : x);
  }
  return result;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** A non-negative axis. @throws ShapeError when it lies outside the rank */
export function axisOf(operation: string, value: Value, axis: number): number {
  const resolved = axis < 0 ? axis + value.shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= value.shape.length) {
    throw new ShapeError(operation, `an axis within the rank (axis ${axis})`, [value.shape]);
  }
  return resolved;
}

/** Size along an axis that is known to exist. */
export function dimension(value: Value, axis: number): number {
  return value.shape[axis < 0 ? axis + value.shape.length : axis]!;
}

/** @throws ShapeError unless the value has the given rank */
export function expectRank(operation: string, value: Value, rank: number, meaning: string): void {
  if (value.shape.length !== rank) throw new ShapeError(operation, `${meaning} (rank ${rank})`, [value.shape]);
}

/** @throws ShapeError unless both values have one element type */
export function expectSameType(operation: string, a: Value, b: Value): void {
  if (a.type !== b.type)
    throw new ShapeError(operation, `one element type (got ${a.type} and ${b.type})`, [a.shape, b.shape]);
}
