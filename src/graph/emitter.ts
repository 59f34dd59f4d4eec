import type { Tensor } from "../tensor/tensor.ts";

/** Attribute of an ONNX node: whole numbers are written as INT(S) when given by `ints`, else as FLOAT. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly string: string };

/** Receives the ONNX nodes of a graph, in order. */
export interface Emitter {
  /** Writes a node with given result names. `domain` is empty for ONNX's own operations. */
  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    domain?: string,
  ): void;
  /** Writes a node with one result of a fresh name, which is returned. */
  fresh(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    domain?: string,
  ): string;
  /** Name of a constant; equal small constants share one. */
  constant(tensor: Tensor): string;
  /** Name of an int64 vector, as shape arguments want them. */
  ints(values: readonly number[]): string;
}

/** Operations that ONNX Runtime adds to ONNX on each of its providers. */
export const contrib = "com.microsoft";
