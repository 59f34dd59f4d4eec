import { ShapeError } from "../../errors.ts";
import { contrib } from "../emitter.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { broadcastShapes, dimension, expectRank, expectSameType } from "../shapes.ts";
import type { Value } from "../value.ts";
import { slice } from "./structure.ts";

export interface ProductAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Factor on the product. */
  readonly alpha: number;
}

const rowsAndColumns = (x: Value, transposed: boolean): [number, number] => {
  const rows = dimension(x, -2);
  const columns = dimension(x, -1);
  return transposed ? [columns, rows] : [rows, columns];
};

/** Batched matrix product over the last two axes; the leading axes broadcast. */
export const matmulOperation: OperationDefinition<"matmul", ProductAttributes> = define({
  kind: "matmul",
  infer: ([a, b], { transposeA, transposeB }) => {
    expectSameType("matmul", a!, b!);
    if (a!.shape.length < 2 || b!.shape.length < 2)
      throw new ShapeError("matmul", "matrices (rank 2 or more)", [a!.shape, b!.shape]);
    const [m, k] = rowsAndColumns(a!, transposeA);
    const [k2, n] = rowsAndColumns(b!, transposeB);
    if (k !== k2) throw new ShapeError("matmul", `inner sizes that agree (got ${k} and ${k2})`, [a!.shape, b!.shape]);
    const batch = broadcastShapes("matmul", a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return [{ type: a!.type, shape: [...batch, m, n] }];
  },
  emit: (emitter, inputs, outputs, { transposeA, transposeB, alpha }) => {
    if (!transposeA && !transposeB && alpha === 1) return emitter.node("MatMul", inputs, outputs);
    emitter.node(
      "FusedMatMul",
      inputs,
      outputs,
      { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) }, alpha: { float: alpha } },
      contrib,
    );
  },
});

/** alpha * A B + C for matrices, C broadcasting onto the result. */
export const gemmOperation: OperationDefinition<"gemm", ProductAttributes> = define({
  kind: "gemm",
  infer: ([a, b, c], { transposeA, transposeB }) => {
    expectRank("gemm", a!, 2, "a matrix");
    expectRank("gemm", b!, 2, "a matrix");
    expectSameType("gemm", a!, b!);
    const [m, k] = rowsAndColumns(a!, transposeA);
    const [k2, n] = rowsAndColumns(b!, transposeB);
    if (k !== k2) throw new ShapeError("gemm", `inner sizes that agree (got ${k} and ${k2})`, [a!.shape, b!.shape]);
    if (c !== undefined && broadcastShapes("gemm", c.shape, [m, n]).some((size, i) => size !== [m, n][i])) {
      throw new ShapeError("gemm", `a bias that broadcasts to [${m}, ${n}]`, [[m, n], c.shape]);
    }
    return [{ type: a!.type, shape: [m, n] }];
  },
  emit: (emitter, inputs, outputs, { transposeA, transposeB, alpha }) =>
    emitter.node("Gemm", inputs, outputs, {
      transA: { int: Number(transposeA) },
      transB: { int: Number(transposeB) },
      alpha: { float: alpha },
    }),
});

const resolved = (options: Partial<ProductAttributes>): ProductAttributes => ({
  transposeA: options.transposeA ?? false,
  transposeB: options.transposeB ?? false,
  alpha: options.alpha ?? 1,
});

/** alpha * a b over the last two axes, either side transposed on request. @throws ShapeError */
export function matmul(a: Value, b: Value, options: Partial<ProductAttributes> = {}): Value {
  return apply1(matmulOperation, [a, b], resolved(options));
}

/** alpha * a b + c for matrices; `c` `[n]`, `[m, 1]` or `[m, n]`. @throws ShapeError */
export function gemm(a: Value, b: Value, c?: Value, options: Partial<ProductAttributes> = {}): Value {
  return apply1(gemmOperation, c === undefined ? [a, b] : [a, b, c], resolved(options));
}

/**
 * Columns `begin` to `end` (exclusive) of a matrix. Where the matrix is `a b^T + bias`, only that part is computed, with a
 * range of the rows of `b`: cutting columns out of a finished product is slow. @throws ShapeError
 */
export function columns(x: Value, begin: number, end: number): Value {
  const { source } = x;
  if (source.kind === "operation" && source.operation.kind === "gemm") {
    const { transposeB, ...rest } = source.operation.attributes as ProductAttributes;
    const [a, b, bias] = source.operation.inputs;
    if (transposeB && (bias === undefined || bias.shape.length === 1)) {
      const part = bias === undefined ? undefined : slice(bias, 0, begin, end);
      return gemm(a!, slice(b!, 0, begin, end), part, { ...rest, transposeB });
    }
  }
  return slice(x, 1, begin, end);
}
