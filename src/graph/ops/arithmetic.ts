import { apply1, define, type OperationDefinition } from "../operation.ts";
import { broadcastShapes, expectSameType } from "../shapes.ts";
import { isConstant, scalar, type Value } from "../value.ts";

function binary<const K extends string>(kind: K, onnx: string): OperationDefinition<K, null> {
  return define({
    kind,
    infer: ([a, b]) => {
      expectSameType(kind, a!, b!);
      return [{ type: a!.type, shape: broadcastShapes(kind, a!.shape, b!.shape) }];
    },
    emit: (emitter, inputs, outputs) => emitter.node(onnx, inputs, outputs),
  });
}

export const addOperation: OperationDefinition<"add", null> = binary("add", "Add");
export const subOperation: OperationDefinition<"sub", null> = binary("sub", "Sub");
export const mulOperation: OperationDefinition<"mul", null> = binary("mul", "Mul");
export const divOperation: OperationDefinition<"div", null> = binary("div", "Div");

/** a + b, broadcasting. @throws ShapeError */
export function add(a: Value, b: Value): Value {
  return apply1(addOperation, [a, b], null);
}

/** a - b, broadcasting. @throws ShapeError */
export function sub(a: Value, b: Value): Value {
  return apply1(subOperation, [a, b], null);
}

/** a * b, broadcasting; a factor that is the scalar 1 costs nothing. @throws ShapeError */
export function mul(a: Value, b: Value): Value {
  if (b.shape.length === 0 && isConstant(b, 1)) return a;
  return apply1(mulOperation, [a, b], null);
}

/** a / b, broadcasting. @throws ShapeError */
export function div(a: Value, b: Value): Value {
  return apply1(divOperation, [a, b], null);
}

/** x * factor for a number. */
export function scale(x: Value, factor: number): Value {
  return mul(x, scalar(factor));
}

/** x + offset for a number. */
export function shift(x: Value, offset: number): Value {
  return add(x, scalar(offset));
}
