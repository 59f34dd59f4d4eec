import { gemm, matmul } from "../../graph/ops/product.ts";
import { transpose } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

/** The runtime copies a transposed left matrix; where `a` is far the larger one, turning `g` and the result costs less. */
function turnedProduct(a: Value, g: Value, alpha: number): Value {
  const axes = g.shape.map((_, axis) => axis);
  const rank = axes.length;
  const large = a.shape.length === rank && elementCount(a.shape) >= 4 * elementCount(g.shape);
  if (!large) return matmul(a, g, { transposeA: true, alpha });
  return transpose(matmul(g, a, { transposeA: true, alpha }), [...axes.slice(0, rank - 2), rank - 1, rank - 2]);
}

/** For C = alpha op(A) op(B): dA = alpha g op(B)^T, dB = alpha op(A)^T g, each transposed again where op transposes. */
export const matmulRule: Rule<"matmul"> = (g, { inputs: [a, b], outputs: [y], attributes, wants }) => {
  const { transposeA, transposeB, alpha } = attributes;
  const full = whole(g, y!.shape);
  return [
    wants[0]
      ? transposeA
        ? matmul(b!, full, { transposeA: transposeB, transposeB: true, alpha })
        : matmul(full, b!, { transposeB: !transposeB, alpha })
      : undefined,
    wants[1]
      ? transposeB
        ? matmul(full, a!, { transposeA: true, transposeB: transposeA, alpha })
        : transposeA
          ? matmul(a!, full, { alpha })
          : turnedProduct(a!, full, alpha)
      : undefined,
  ];
};

export const gemmRule: Rule<"gemm"> = (g, { inputs: [a, b], outputs: [y], attributes, wants }) => {
  const { transposeA, transposeB, alpha } = attributes;
  const full = whole(g, y!.shape);
  return [
    wants[0]
      ? transposeA
        ? gemm(b!, full, undefined, { transposeA: transposeB, transposeB: true, alpha })
        : gemm(full, b!, undefined, { transposeB: !transposeB, alpha })
      : undefined,
    wants[1]
      ? transposeB
        ? gemm(full, a!, undefined, { transposeA: true, transposeB: transposeA, alpha })
        : gemm(a!, full, undefined, { transposeA: !transposeA, alpha })
      : undefined,
    full,
  ];
};
