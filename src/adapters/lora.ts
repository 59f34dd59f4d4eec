import { AdapterError } from "../errors.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { addProductRow, columnBlock, type LowRankProduct } from "./low-rank.ts";

/** A low-rank change of one layer's weight; elements of any float type. */
export interface LoraModule {
  /** The layer's path in diffusers, e.g. `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`. */
  readonly path: string;
  /** A: `[rank, in]`, or `[rank, in, height, width]` of a convolution. */
  readonly down: Tensor;
  /** B: `[out, rank]`, or `[out, rank, 1, 1]` of a convolution. */
  readonly up: Tensor;
  /** The change is scaled by alpha / rank. */
  readonly alpha: number;
}

/** The rank r of a module. */
export function loraRank({ down }: LoraModule): number {
  return down.shape[0] ?? 0;
}

/** What multiplies B A: alpha / rank. */
export function loraScale(module: LoraModule): number {
  return module.alpha / loraRank(module);
}

/**
 * The shape of the weight that a module changes: `[out, in]`, or `[out, in, height, width]`.
 * @throws AdapterError when the two parts do not fit each other.
 */
export function loraWeightShape({ path, down, up }: LoraModule): readonly number[] {
  const [rank, ...inner] = down.shape;
  const [out, upRank, ...window] = up.shape;
  const fits = rank !== undefined && rank > 0 && upRank === rank && window.every((size) => size === 1);
  if (
    !fits ||
    out === undefined ||
    !((inner.length === 1 && window.length === 0) || (inner.length === 3 && window.length === 2))
  ) {
    throw new AdapterError(
      `${path}: its down part [${down.shape.join(", ")}] and up part [${up.shape.join(", ")}] do not make a LoRA of a linear layer or a convolution.`,
    );
  }
  return [out, ...inner];
}

/** A module as a product of matrices, `weight` times its own change. */
export function lowRankProduct(module: LoraModule, weight: number): LowRankProduct {
  const [, ...inner] = loraWeightShape(module);
  return {
    up: toFloat32(module.up).data,
    down: toFloat32(module.down).data,
    rank: loraRank(module),
    columns: elementCount(inner),
    factor: weight * loraScale(module),
  };
}

/**
 * The change of a layer's weight, `Delta W = (alpha / rank) B A`, so that the adapted layer is `W0 x + Delta W x`.
 *
 * Of a convolution, `Delta W[o, i, h, w] = (alpha / rank) sum_r B[o, r] A[r, i, h, w]`. Summed in float64, rounded once.
 * @paper eq. 4
 * @throws AdapterError when the two parts do not fit each other.
 */
export function loraDelta(module: LoraModule): Tensor<"float32"> {
  const shape = loraWeightShape(module);
  const data = new Float32Array(elementCount(shape));
  sumProducts(data, shape[0] ?? 0, [lowRankProduct(module, 1)]);
  return { type: "float32", shape, data };
}

/** Adds products of matrices to a matrix of `rows` rows in place; each element is rounded once. */
export function sumProducts(
  matrix: Float32Array | Float64Array,
  rows: number,
  products: readonly LowRankProduct[],
): void {
  const columns = matrix.length / rows;
  const buffer = new Float64Array(columnBlock);
  for (let from = 0; from < columns; from += columnBlock) {
    const sums = buffer.subarray(0, Math.min(columnBlock, columns - from));
    for (let row = 0; row < rows; row++) {
      const start = row * columns + from;
      for (let j = 0; j < sums.length; j++) sums[j] = matrix[start + j]!;
      for (const product of products) addProductRow(sums, product, row, from);
      matrix.set(sums, start);
    }
  }
}
