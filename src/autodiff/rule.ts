import type { Operation } from "../graph/operation.ts";
import type { AttributesOf, OperationKind } from "../graph/ops/index.ts";
import type { Value } from "../graph/value.ts";

/** What a rule sees of the operation that it differentiates. */
export interface RuleContext<K extends OperationKind = OperationKind> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: AttributesOf<K>;
  readonly operation: Operation;
  /** Whether the gradient of an input is wanted; a rule may leave out what is not. */
  readonly wants: readonly boolean[];
  /** Gradients of all results, undefined where nothing depends on one: for operations with several. */
  readonly gradients: readonly (Value | undefined)[];
}

/**
 * The vector-Jacobian product of one operation: gradients of its inputs (undefined where there is none), given the
 * gradient of its first result. That gradient may be smaller than the result and broadcast to it, which saves passes
 * over memory: a rule that needs the whole calls `whole`. A returned gradient may likewise broadcast to its input,
 * or be larger, in which case it is summed.
 */
export type Rule<K extends OperationKind = OperationKind> = (
  gradient: Value,
  context: RuleContext<K>,
) => readonly (Value | undefined)[];
