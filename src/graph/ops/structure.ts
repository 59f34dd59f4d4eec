import { ShapeError } from "../../errors.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { axisOf, broadcastShapes, expectRank, expectSameType, sameShape } from "../shapes.ts";
import { constant, type Value } from "../value.ts";
import { onnxType } from "./elementwise.ts";

export const reshapeOperation: OperationDefinition<"reshape", { readonly shape: readonly number[] }> = define({
  kind: "reshape",
  infer: ([x], { shape }) => {
    if (elementCount(shape) !== elementCount(x!.shape))
      throw new ShapeError("reshape", "as many elements", [x!.shape, shape]);
    return [{ type: x!.type, shape }];
  },
  emit: (emitter, [x], outputs, { shape }) =>
    emitter.node("Reshape", [x!, emitter.ints(shape)], outputs, { allowzero: { int: 1 } }),
});

export const transposeOperation: OperationDefinition<"transpose", { readonly order: readonly number[] }> = define({
  kind: "transpose",
  infer: ([x], { order }) => {
    if (
      order.length !== x!.shape.length ||
      new Set(order).size !== order.length ||
      order.some((i) => x!.shape[i] === undefined)
    ) {
      throw new ShapeError("transpose", `an order of all axes (got ${order.join(", ")})`, [x!.shape]);
    }
    return [{ type: x!.type, shape: order.map((i) => x!.shape[i]!) }];
  },
  emit: (emitter, inputs, outputs, { order }) => emitter.node("Transpose", inputs, outputs, { perm: { ints: order } }),
});

export const expandOperation: OperationDefinition<"expand", { readonly shape: readonly number[] }> = define({
  kind: "expand",
  infer: ([x], { shape }) => {
    if (!sameShape(broadcastShapes("expand", x!.shape, shape), shape)) {
      throw new ShapeError("expand", "a shape that the value broadcasts to", [x!.shape, shape]);
    }
    return [{ type: x!.type, shape }];
  },
  emit: (emitter, [x], outputs, { shape }, operation) => {
    if (elementCount(shape) > 0) return emitter.node("Expand", [x!, emitter.ints(shape)], outputs);
    // The runtime's Expand takes the larger of 1 and 0.
    const { type } = operation.inputs[0]!;
    emitter.node("Identity", [emitter.constant({ type, shape, data: new Uint8Array(0) })], outputs);
  },
});

export const concatOperation: OperationDefinition<"concat", { readonly axis: number }> = define({
  kind: "concat",
  infer: (inputs, { axis }) => {
    const first = inputs[0]!;
    let size = 0;
    for (const x of inputs) {
      expectSameType("concat", first, x);
      if (x.shape.length !== first.shape.length || x.shape.some((n, i) => i !== axis && n !== first.shape[i])) {
        throw new ShapeError("concat", `shapes that agree but for axis ${axis}`, [first.shape, x.shape]);
      }
      size += x.shape[axis]!;
    }
    return [{ type: first.type, shape: first.shape.map((n, i) => (i === axis ? size : n)) }];
  },
  emit: (emitter, inputs, outputs, { axis }) => emitter.node("Concat", inputs, outputs, { axis: { int: axis } }),
});

export interface SliceAttributes {
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

export const sliceOperation: OperationDefinition<"slice", SliceAttributes> = define({
  kind: "slice",
  infer: ([x], { axis, begin, end }) => {
    if (begin < 0 || end < begin || end > x!.shape[axis]!) {
      throw new ShapeError("slice", `a range within axis ${axis} (got ${begin} to ${end})`, [x!.shape]);
    }
    return [{ type: x!.type, shape: x!.shape.map((n, i) => (i === axis ? end - begin : n)) }];
  },
  emit: (emitter, [x], outputs, { axis, begin, end }) =>
    emitter.node("Slice", [x!, emitter.ints([begin]), emitter.ints([end]), emitter.ints([axis])], outputs),
});

/** Zeros before and after, per axis: `[before0, …, after0, …]`, as ONNX orders them. */
export const padOperation: OperationDefinition<"pad", { readonly pads: readonly number[] }> = define({
  kind: "pad",
  infer: ([x], { pads }) => {
    const rank = x!.shape.length;
    if (pads.length !== 2 * rank || pads.some((p) => p < 0)) {
      throw new ShapeError("pad", `${2 * rank} non-negative amounts (got ${pads.join(", ")})`, [x!.shape]);
    }
    return [{ type: x!.type, shape: x!.shape.map((n, i) => n + pads[i]! + pads[rank + i]!) }];
  },
  emit: (emitter, [x], outputs, { pads }) => emitter.node("Pad", [x!, emitter.ints(pads)], outputs),
});

/** Rows of a table (axis 0) chosen by integer indices of any shape. */
export const gatherOperation: OperationDefinition<"gather", null> = define({
  kind: "gather",
  infer: ([table, indices]) => {
    if (indices!.type !== "int64" && indices!.type !== "int32") {
      throw new ShapeError("gather", `integer indices (got ${indices!.type})`, [table!.shape, indices!.shape]);
    }
    if (table!.shape.length === 0) throw new ShapeError("gather", "a table of rank 1 or more", [table!.shape]);
    return [{ type: table!.type, shape: [...indices!.shape, ...table!.shape.slice(1)] }];
  },
  emit: (emitter, inputs, outputs) => emitter.node("Gather", inputs, outputs, { axis: { int: 0 } }),
});

/** The adjoint of `gather`: adds rows into a table of zeros with `rows` rows. */
export const scatterAddOperation: OperationDefinition<"scatterAdd", { readonly rows: number }> = define({
  kind: "scatterAdd",
  infer: ([indices, updates], { rows }) => {
    const rowShape = updates!.shape.slice(indices!.shape.length);
    if (!sameShape(updates!.shape, [...indices!.shape, ...rowShape])) {
      throw new ShapeError("scatterAdd", "one row per index", [indices!.shape, updates!.shape]);
    }
    return [{ type: updates!.type, shape: [rows, ...rowShape] }];
  },
  emit: (emitter, [indices, updates], outputs, _, operation) => {
    const { type, shape } = operation.outputs[0]!;
    const zero = emitter.constant({ type: "float32", shape: [], data: Float32Array.of(0) });
    const typed = type === "float32" ? zero : emitter.fresh("Cast", [zero], { to: { int: onnxType[type] } });
    const count = elementCount(operation.inputs[0]!.shape);
    const width = elementCount(shape.slice(1));
    if (count * width === 0) return emitter.node("Expand", [typed, emitter.ints(shape)], outputs);
    // Not ScatterND: the runtime adds its rows in parallel, and rows that meet lose terms, others at every run.
    const zeros = emitter.fresh("Expand", [typed, emitter.ints([shape[0]!, width])]);
    const column = emitter.fresh("Reshape", [indices!, emitter.ints([count, 1])]);
    const places = emitter.fresh("Expand", [column, emitter.ints([count, width])]);
    const lines = emitter.fresh("Reshape", [updates!, emitter.ints([count, width])]);
    const sums = emitter.fresh("ScatterElements", [zeros, places, lines], {
      axis: { int: 0 },
      reduction: { string: "add" },
    });
    emitter.node("Reshape", [sums, emitter.ints(shape)], outputs);
  },
});

/** Reverses one axis. */
export const reverseOperation: OperationDefinition<"reverse", { readonly axis: number }> = define({
  kind: "reverse",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, [x], outputs, { axis }, operation) => {
    const size = operation.inputs[0]!.shape[axis]!;
    const order = emitter.ints(Array.from({ length: size }, (_, i) => size - 1 - i));
    emitter.node("Gather", [x!, order], outputs, { axis: { int: axis } });
  },
});

const reshapeRoot = (x: Value): Value =>
  x.source.kind === "operation" && x.source.operation.kind === "reshape" ? x.source.operation.inputs[0]! : x;

/** The same elements in another shape; chains of reshapes collapse, constants are described anew. @throws ShapeError */
export function reshape(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (elementCount(x.shape) === elementCount(shape)) {
    const { source } = x;
    if (source.kind === "file") return { ...x, shape };
    if (source.kind === "constant") return constant({ ...source.tensor, shape });
  }
  const root = reshapeRoot(x);
  return sameShape(root.shape, shape) ? root : apply1(reshapeOperation, [root], { shape });
}

/** Axes in another order; chains of transposes collapse, the identity costs nothing. @throws ShapeError */
export function transpose(x: Value, order: readonly number[]): Value {
  if (x.source.kind === "operation" && x.source.operation.kind === "transpose") {
    const inner = (x.source.operation.attributes as { readonly order: readonly number[] }).order;
    return transpose(
      x.source.operation.inputs[0]!,
      order.map((i) => inner[i]!),
    );
  }
  if (order.length === x.shape.length && order.every((axis, i) => axis === i)) return x;
  // Moving axes of size 1 alone moves no element.
  const moved = order.filter((axis) => x.shape[axis] !== 1);
  if (
    order.length === x.shape.length &&
    new Set(order).size === order.length &&
    moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)
  ) {
    return reshape(
      x,
      order.map((axis) => x.shape[axis]!),
    );
  }
  return apply1(transposeOperation, [x], { order });
}

/** Copies along axes of size 1. @throws ShapeError */
export function expand(x: Value, shape: readonly number[]): Value {
  return sameShape(x.shape, shape) ? x : apply1(expandOperation, [x], { shape });
}

/** Joins values along an axis. @throws ShapeError */
export function concat(values: readonly Value[], axis: number): Value {
  return values.length === 1
    ? values[0]!
    : apply1(concatOperation, values, { axis: axisOf("concat", values[0]!, axis) });
}

/** Rows of a constant that lies in a file: a part of the file, where they lie together. */
function partOfFile(x: Value, axis: number, begin: number, end: number): Value | undefined {
  const { source, shape } = x;
  const together = shape.slice(0, axis).every((size) => size === 1);
  if (source.kind !== "file" || !together || begin < 0 || end <= begin || end > shape[axis]!) return undefined;
  const row = source.slice.length / shape[axis]!;
  const part = { ...source.slice, offset: source.slice.offset + begin * row, length: (end - begin) * row };
  return { ...x, shape: shape.map((n, i) => (i === axis ? end - begin : n)), source: { ...source, slice: part } };
}

/** Elements `begin` to `end` (exclusive) of an axis; rows of a constant in a file are read alone. @throws ShapeError */
export function slice(x: Value, axis: number, begin: number, end: number): Value {
  const along = axisOf("slice", x, axis);
  if (begin === 0 && end === x.shape[along]) return x;
  return partOfFile(x, along, begin, end) ?? apply1(sliceOperation, [x], { axis: along, begin, end });
}

/** Adds zeros around. @throws ShapeError */
export function pad(x: Value, pads: readonly number[]): Value {
  return pads.every((p) => p === 0) ? x : apply1(padOperation, [x], { pads });
}

/** Rows of `table` `[rows, …]` at `indices` (int32 or int64): shape `[…indices, …]`. @throws ShapeError */
export function gather(table: Value, indices: Value): Value {
  return apply1(gatherOperation, [table, indices], null);
}

/** Sums `updates` `[…indices, …]` into `rows` rows at `indices`. @throws ShapeError */
export function scatterAdd(indices: Value, updates: Value, rows: number): Value {
  return apply1(scatterAddOperation, [indices, updates], { rows });
}

/** The elements of one axis in reverse order. @throws ShapeError */
export function reverse(x: Value, axis: number): Value {
  return apply1(reverseOperation, [x], { axis: axisOf("reverse", x, axis) });
}

/** A matrix with its two axes swapped. @throws ShapeError */
export function matrixTranspose(x: Value): Value {
  expectRank("matrixTranspose", x, 2, "a matrix");
  return transpose(x, [1, 0]);
}
