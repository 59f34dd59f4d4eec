import { ShapeError } from "../errors.ts";
import { elementCount, filled, type Tensor } from "./tensor.ts";

type Floats = Tensor<"float32">;

/** One summand of a linear combination: coefficient and tensor. */
export type Term = readonly [coefficient: number, tensor: Floats];

/**
 * Sum of coefficient times tensor over the terms; all tensors have one shape, which is the result's.
 *
 * Each element is summed in float64 and rounded to float32 once.
 * @throws ShapeError when there is no term, or the shapes differ
 */
export function linearCombination(terms: readonly Term[]): Floats {
  const first = terms[0];
  if (first === undefined) throw new ShapeError("linearCombination", "at least one term", []);
  const shape = first[1].shape;
  for (const [, { shape: other }] of terms) {
    if (!sameShape(shape, other)) throw new ShapeError("linearCombination", "tensors of one shape", [shape, other]);
  }
  const out = new Float32Array(elementCount(shape));
  if (terms.length === 2) {
    // The case that every sampler step meets, without the inner loop.
    const [a, { data: x }] = first;
    const [b, { data: y }] = terms[1]!;
    for (let i = 0; i < out.length; i++) out[i] = a * x[i]! + b * y[i]!;
    return { type: "float32", shape, data: out };
  }
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (const [coefficient, { data }] of terms) sum += coefficient * data[i]!;
    out[i] = sum;
  }
  return { type: "float32", shape, data: out };
}

/** Each element moved into [low, high]. */
export function clamp(source: Floats, low: number, high: number): Floats {
  return { type: "float32", shape: source.shape, data: source.data.map((x) => Math.min(high, Math.max(low, x))) };
}

/** Whether no element is infinite or not a number. */
export function allFinite(source: Floats): boolean {
  return source.data.every(Number.isFinite);
}

/** Whether two shapes have the same extents. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/**
 * Joins tensors along the batch: [b1, ...rest], [b2, ...rest], ... become [b1 + b2 + ..., ...rest].
 * @throws ShapeError when there is no tensor, or they differ beyond the first extent
 */
export function stack(parts: readonly Floats[]): Floats {
  const first = parts[0];
  if (first === undefined) throw new ShapeError("stack", "at least one tensor", []);
  const rest = first.shape.slice(1);
  for (const { shape } of parts) {
    if (shape.length === 0 || !sameShape(rest, shape.slice(1))) {
      throw new ShapeError("stack", "tensors that differ in their first extent only", [first.shape, shape]);
    }
  }
  const batch = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const out = filled([batch, ...rest]);
  let offset = 0;
  for (const { data } of parts) {
    out.data.set(data, offset);
    offset += data.length;
  }
  return out;
}

/**
 * Cuts a tensor into `count` equal parts along the batch: [count * b, ...rest] becomes `count` tensors [b, ...rest].
 *
 * The parts share the source's memory.
 * @throws ShapeError when the first extent is not a multiple of `count`
 */
export function split(source: Floats, count: number): Floats[] {
  const [batch, ...rest] = source.shape;
  if (batch === undefined || batch % count !== 0) {
    throw new ShapeError("split", `a first extent that is a multiple of ${count}`, [source.shape]);
  }
  const shape = [batch / count, ...rest];
  const size = elementCount(shape);
  return Array.from({ length: count }, (_, i) => ({
    type: "float32",
    shape,
    data: source.data.subarray(i * size, (i + 1) * size),
  }));
}
