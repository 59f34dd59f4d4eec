import { gemm, matmul } from "../../graph/ops/product.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

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
        : matmul(a!, full, { transposeA: !transposeA, alpha })
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
