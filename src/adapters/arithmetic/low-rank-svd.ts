import {
  type Matrix,
  matrix,
  multiply,
  multiplyTransposed,
  squaredNorm,
  transpose,
} from "../../tensor/linear-algebra/matrix.ts";
import { qr } from "../../tensor/linear-algebra/qr.ts";
import { type SingularValues, svd } from "../../tensor/linear-algebra/svd.ts";
import {
  enough,
  type TruncatedSvd,
  truncate,
  truncatedSvd,
  type WantedValues,
} from "../../tensor/linear-algebra/truncated-svd.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LoraModule, loraWeightShape, lowRankProduct } from "../lora.ts";

/** A module as two matrices: its change is `up [out, rank]` times `down [rank, in]`, the scale in `up`. */
export function factorMatrices(module: LoraModule): { readonly up: Matrix; readonly down: Matrix } {
  const { up, down, rank, columns, factor } = lowRankProduct(module, 1);
  return {
    up: matrix(
      up.length / rank,
      rank,
      Float64Array.from(up, (x) => factor * x),
    ),
    down: matrix(rank, columns, down),
  };
}

/**
 * The singular values of a module's change, as many as its rank: exact and fast, for the change is never made. With
 * `B = Q1 R1` and `A' = Q2 R2` it is `Q1 (R1 R2') Q2'`, whose inner matrix is small.
 */
export function loraSvd(module: LoraModule): SingularValues {
  const { up, down } = factorMatrices(module);
  const [b, a] = [qr(up), qr(transpose(down))];
  const { u, values, v } = svd(multiplyTransposed(b.r, a.r));
  return { u: multiply(b.q, u), values, v: multiply(a.q, v) };
}

/** A module that stands for a change, and how far it is from it. */
export interface Approximation {
  readonly module: LoraModule;
  /** Frobenius norm of the change. */
  readonly norm: number;
  /** Frobenius norm of what the module leaves out of the change, before it is stored. */
  readonly error: number;
}

/** A module's best approximation of lower rank (Eckart and Young 1936). */
export function reduceRank(module: LoraModule, wanted: WantedValues): Approximation {
  const found = loraSvd(module);
  const total = squaredNorm(found.values);
  const rank = enough(found.values, wanted, total) ?? found.values.length;
  return approximation(module.path, loraWeightShape(module), truncate(found, rank, total));
}

/** The best low-rank module for a change of a layer's weight, `[out, in]` or `[out, in, height, width]`. */
export function loraOfChange(
  path: string,
  { shape, data }: Tensor<"float32"> | Tensor<"float64">,
  wanted: WantedValues,
): Approximation {
  const [rows = 0] = shape;
  return approximation(path, shape, truncatedSvd(matrix(rows, data.length / rows, data), wanted));
}

/** The module `(U sqrt(S)) (sqrt(S) V')`: both parts of like size, so that neither loses precision in 16 bits. */
function approximation(
  path: string,
  shape: readonly number[],
  { u, values, v, norm, error }: TruncatedSvd,
): Approximation {
  const [out = 0, ...inner] = shape;
  const rank = values.length;
  const roots = values.map(Math.sqrt);
  const up = Float32Array.from(u.data, (x, i) => x * roots[i % rank]!);
  const down = new Float32Array(rank * v.rows);
  for (let i = 0; i < v.rows; i++)
    for (let k = 0; k < rank; k++) down[k * v.rows + i] = v.data[i * rank + k]! * roots[k]!;
  const window = inner.length > 1 ? [1, 1] : [];
  return {
    module: {
      path,
      down: { type: "float32", shape: [rank, ...inner], data: down },
      up: { type: "float32", shape: [out, rank, ...window], data: up },
      alpha: rank,
    },
    norm,
    error,
  };
}

/** Frobenius norm of the difference of a module's change and a change in memory. */
export function distanceToChange(module: LoraModule, change: Float32Array | Float64Array): number {
  const { up, down } = factorMatrices(module);
  let sum = 0;
  for (let row = 0; row < up.rows; row++) {
    const own = multiply(matrix(1, up.columns, up.data.subarray(row * up.columns, (row + 1) * up.columns)), down);
    const start = row * down.columns;
    for (let j = 0; j < down.columns; j++) sum += (own.data[j]! - change[start + j]!) ** 2;
  }
  return Math.sqrt(sum);
}
