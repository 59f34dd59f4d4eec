import { ShapeError } from "../../errors.ts";
import type { DataType } from "../../tensor/tensor.ts";
import { contrib } from "../emitter.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { broadcastShapes, expectSameType } from "../shapes.ts";
import type { Value } from "../value.ts";

function unary<const K extends string>(kind: K, onnx: string): OperationDefinition<K, null> {
  return define({
    kind,
    infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
    emit: (emitter, inputs, outputs) => emitter.node(onnx, inputs, outputs),
  });
}

export const negOperation: OperationDefinition<"neg", null> = unary("neg", "Neg");
export const expOperation: OperationDefinition<"exp", null> = unary("exp", "Exp");
export const logOperation: OperationDefinition<"log", null> = unary("log", "Log");
export const sqrtOperation: OperationDefinition<"sqrt", null> = unary("sqrt", "Sqrt");
export const reciprocalOperation: OperationDefinition<"reciprocal", null> = unary("reciprocal", "Reciprocal");
export const absOperation: OperationDefinition<"abs", null> = unary("abs", "Abs");
export const signOperation: OperationDefinition<"sign", null> = unary("sign", "Sign");
export const sinOperation: OperationDefinition<"sin", null> = unary("sin", "Sin");
export const cosOperation: OperationDefinition<"cos", null> = unary("cos", "Cos");
export const erfOperation: OperationDefinition<"erf", null> = unary("erf", "Erf");
export const sigmoidOperation: OperationDefinition<"sigmoid", null> = unary("sigmoid", "Sigmoid");
export const tanhOperation: OperationDefinition<"tanh", null> = unary("tanh", "Tanh");
export const reluOperation: OperationDefinition<"relu", null> = unary("relu", "Relu");

/** No gradient passes: what lies behind is a constant to the differentiation. */
export const detachOperation: OperationDefinition<"detach", null> = unary("detach", "Identity");

/** x * sigmoid(factor * x) in one pass of the runtime. */
export const swishOperation: OperationDefinition<"swish", { readonly factor: number }> = define({
  kind: "swish",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, inputs, outputs, { factor }) =>
    emitter.node("QuickGelu", inputs, outputs, { alpha: { float: factor } }, contrib),
});

/** x * Phi(x), with the error function, not its tanh approximation. */
export const geluOperation: OperationDefinition<"gelu", null> = define({
  kind: "gelu",
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  emit: (emitter, inputs, outputs) => emitter.node("Gelu", inputs, outputs, { approximate: { string: "none" } }),
});

export const castOperation: OperationDefinition<"cast", { readonly to: DataType }> = define({
  kind: "cast",
  infer: ([x], { to }) => [{ type: to, shape: x!.shape }],
  emit: (emitter, inputs, outputs, { to }) => emitter.node("Cast", inputs, outputs, { to: { int: onnxType[to] } }),
});

/** ONNX's number of each element type (TensorProto.DataType). */
export const onnxType: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

export const whereOperation: OperationDefinition<"where", null> = define({
  kind: "where",
  infer: ([condition, a, b]) => {
    if (condition!.type !== "bool")
      throw new ShapeError("where", `a bool condition (got ${condition!.type})`, [condition!.shape]);
    expectSameType("where", a!, b!);
    const both = broadcastShapes("where", a!.shape, b!.shape);
    return [{ type: a!.type, shape: broadcastShapes("where", condition!.shape, both) }];
  },
  emit: (emitter, inputs, outputs) => emitter.node("Where", inputs, outputs),
});

export const greaterOperation: OperationDefinition<"greater", null> = define({
  kind: "greater",
  infer: ([a, b]) => {
    expectSameType("greater", a!, b!);
    return [{ type: "bool", shape: broadcastShapes("greater", a!.shape, b!.shape) }];
  },
  emit: (emitter, inputs, outputs) => emitter.node("Greater", inputs, outputs),
});

export const neg = (x: Value): Value => apply1(negOperation, [x], null);
export const exp = (x: Value): Value => apply1(expOperation, [x], null);
export const log = (x: Value): Value => apply1(logOperation, [x], null);
export const sqrt = (x: Value): Value => apply1(sqrtOperation, [x], null);
export const reciprocal = (x: Value): Value => apply1(reciprocalOperation, [x], null);
export const abs = (x: Value): Value => apply1(absOperation, [x], null);
export const sign = (x: Value): Value => apply1(signOperation, [x], null);
export const sin = (x: Value): Value => apply1(sinOperation, [x], null);
export const cos = (x: Value): Value => apply1(cosOperation, [x], null);
export const erf = (x: Value): Value => apply1(erfOperation, [x], null);
export const sigmoid = (x: Value): Value => apply1(sigmoidOperation, [x], null);
export const tanh = (x: Value): Value => apply1(tanhOperation, [x], null);
export const relu = (x: Value): Value => apply1(reluOperation, [x], null);
export const detach = (x: Value): Value => apply1(detachOperation, [x], null);

/** SiLU: x * sigmoid(x). */
export const silu = (x: Value): Value => apply1(swishOperation, [x], { factor: 1 });
/** CLIP's quick GELU: x * sigmoid(1.702 x). */
export const quickGelu = (x: Value): Value => apply1(swishOperation, [x], { factor: 1.702 });
/** Exact GELU: x * Phi(x). */
export const gelu = (x: Value): Value => apply1(geluOperation, [x], null);

/** Elements converted to another type. */
export const cast = (x: Value, to: DataType): Value => (x.type === to ? x : apply1(castOperation, [x], { to }));
/** a where the condition holds, else b; all three broadcast. @throws ShapeError */
export const where = (condition: Value, a: Value, b: Value): Value => apply1(whereOperation, [condition, a, b], null);
/** a > b, broadcasting, as bool. @throws ShapeError */
export const greater = (a: Value, b: Value): Value => apply1(greaterOperation, [a, b], null);
