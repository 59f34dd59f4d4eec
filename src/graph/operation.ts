import type { DataType } from "../tensor/tensor.ts";
import type { Emitter } from "./emitter.ts";
import type { Value } from "./value.ts";

/** Element type and shape of a result. */
export interface Signature {
  readonly type: DataType;
  readonly shape: readonly number[];
}

/** What one kind of operation is: its shape rule and its ONNX nodes. The gradient rule lives in `autodiff/rules`. */
export interface OperationDefinition<K extends string = string, A = unknown> {
  readonly kind: K;
  /** Shapes of the results. @throws ShapeError when the inputs do not fit. */
  infer(inputs: readonly Value[], attributes: A): readonly Signature[];
  /** Writes the ONNX nodes that compute `outputs` from `inputs`. */
  emit(
    emitter: Emitter,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: A,
    operation: Operation,
  ): void;
}

/** One use of an operation in a graph. */
export interface Operation {
  readonly kind: string;
  readonly definition: OperationDefinition;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
  readonly outputs: readonly Value[];
}

/** Keeps the literal kind and the attribute type of a definition. */
export function define<const K extends string, A>(definition: OperationDefinition<K, A>): OperationDefinition<K, A> {
  return definition;
}

/** Applies an operation: infers the shapes and returns its results. @throws ShapeError */
export function apply<K extends string, A>(
  definition: OperationDefinition<K, A>,
  inputs: readonly Value[],
  attributes: A,
): readonly Value[] {
  const outputs: Value[] = [];
  // The definition's attribute type is forgotten here and restored in `autodiff/rules` by kind.
  const erased = definition as unknown as OperationDefinition;
  const operation: Operation = { kind: definition.kind, definition: erased, inputs, attributes, outputs };
  definition.infer(inputs, attributes).forEach(({ type, shape }, index) => {
    outputs.push({ type, shape, source: { kind: "operation", operation, index } });
  });
  return outputs;
}

/** Applies an operation with a single result. @throws ShapeError */
export function apply1<K extends string, A>(
  definition: OperationDefinition<K, A>,
  inputs: readonly Value[],
  attributes: A,
): Value {
  return apply(definition, inputs, attributes)[0]!;
}
