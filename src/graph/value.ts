import type { DataType, Tensor } from "../tensor/tensor.ts";
import type { Operation } from "./operation.ts";

/**
 * Bytes of a constant that stay where they are: in a file beside the model (a safetensors file, as a rule).
 * `file` is relative to the folder given to the runtime; `offset` and `length` are in bytes.
 */
export interface FileSlice {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Where a value comes from. */
export type Source =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "constant"; readonly tensor: Tensor }
  | { readonly kind: "file"; readonly name: string; readonly slice: FileSlice }
  | { readonly kind: "operation"; readonly operation: Operation; readonly index: number };

/** A node's result: immutable, with a static shape and element type. Graphs are made of nothing else. */
export interface Value {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly source: Source;
}

/** A value that is given at each run. */
export function input(name: string, shape: readonly number[], type: DataType = "float32"): Value {
  return { type, shape, source: { kind: "input", name } };
}

/** A value fixed when the graph is compiled; the runtime may pre-pack it. */
export function constant(tensor: Tensor): Value {
  return { type: tensor.type, shape: tensor.shape, source: { kind: "constant", tensor } };
}

/** A float32 scalar, shape `[]`. */
export function scalar(value: number): Value {
  return constant({ type: "float32", shape: [], data: Float32Array.of(value) });
}

/** A constant whose bytes are read in place from a file. */
export function fileConstant(name: string, shape: readonly number[], type: DataType, slice: FileSlice): Value {
  return { type, shape, source: { kind: "file", name, slice } };
}

/** True where a value is a constant in memory whose elements all equal `expected`. */
export function isConstant(value: Value, expected: number): boolean {
  const { source } = value;
  return (
    source.kind === "constant" && source.tensor.type === "float32" && source.tensor.data.every((x) => x === expected)
  );
}
