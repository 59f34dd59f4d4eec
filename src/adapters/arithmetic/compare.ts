import { AdapterError } from "../../errors.ts";
import { sameShape } from "../../tensor/arithmetic.ts";
import { matrix, squaredNorm } from "../../tensor/linear-algebra/matrix.ts";
import type { SingularValues } from "../../tensor/linear-algebra/svd.ts";
import { truncatedSvd } from "../../tensor/linear-algebra/truncated-svd.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { type LoraModule, loraDelta, loraRank, loraWeightShape } from "../lora.ts";
import { innerProduct } from "./inner-product.ts";
import { loraSvd } from "./low-rank-svd.ts";
import { subspaceSimilarity } from "./subspaces.ts";

/** A change of one layer: low-rank, or in full, `[out, in]` or `[out, in, height, width]`. */
export type LayerVector =
  | { readonly kind: "lora"; readonly module: LoraModule }
  | { readonly kind: "full"; readonly shape: readonly number[]; readonly data: Float64Array };

/** How two changes of one layer lie to each other. */
export interface LayerComparison {
  /** Sums of the squares of the first's and the second's elements, and of the products of both. */
  readonly squareA: number;
  readonly squareB: number;
  readonly product: number;
  /** How far the leading directions of both coincide, from 0 to 1; undefined where one of the changes is zero. */
  readonly overlap: SubspaceOverlap | undefined;
}

/** The LoRA paper's phi of two changes. */
export interface SubspaceOverlap {
  /** How many leading directions of each were compared. */
  readonly directions: number;
  /** Of right singular vectors: what of the layer's input both look at. */
  readonly inputs: number;
  /** Of left singular vectors: what of the layer's output both change. */
  readonly outputs: number;
  /** What two changes without relation would have on average. */
  readonly inputsByChance: number;
  readonly outputsByChance: number;
}

/**
 * Compares two changes of one layer.
 * @param directions how many leading singular vectors at most
 * @throws AdapterError when they change weights of different shape
 */
export function compareLayers(path: string, a: LayerVector, b: LayerVector, directions: number): LayerComparison {
  const [shape, other] = [shapeOf(a), shapeOf(b)];
  if (!sameShape(shape, other)) {
    throw new AdapterError(`${path}: one vector changes [${shape.join(", ")}], the other [${other.join(", ")}].`);
  }
  const [squareA, squareB] = [productOf(a, a), productOf(b, b)];
  const count = Math.min(directions, rankOf(a), rankOf(b));
  return {
    squareA,
    squareB,
    product: productOf(a, b),
    overlap: squareA > 0 && squareB > 0 ? overlapOf(a, b, count) : undefined,
  };
}

function overlapOf(a: LayerVector, b: LayerVector, directions: number): SubspaceOverlap {
  const [first, second] = [leading(a, directions), leading(b, directions)];
  const [out = 1, ...inner] = shapeOf(a);
  return {
    directions,
    inputs: subspaceSimilarity(first.v, second.v, directions, directions),
    outputs: subspaceSimilarity(first.u, second.u, directions, directions),
    inputsByChance: directions / elementCount(inner),
    outputsByChance: directions / out,
  };
}

/** Sum of the squares of a change's elements. */
export function squareOf(vector: LayerVector): number {
  return productOf(vector, vector);
}

function shapeOf(vector: LayerVector): readonly number[] {
  return vector.kind === "lora" ? loraWeightShape(vector.module) : vector.shape;
}

function rankOf(vector: LayerVector): number {
  const [out = 0, ...inner] = shapeOf(vector);
  const most = Math.min(out, elementCount(inner));
  return vector.kind === "lora" ? Math.min(loraRank(vector.module), most) : most;
}

function productOf(a: LayerVector, b: LayerVector): number {
  if (a.kind === "lora" && b.kind === "lora") return innerProduct(a.module, b.module);
  const [x, y] = [inFull(a), inFull(b)];
  if (x === y) return squaredNorm(x);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

function inFull(vector: LayerVector): Float32Array | Float64Array {
  return vector.kind === "lora" ? loraDelta(vector.module).data : vector.data;
}

function leading(vector: LayerVector, count: number): SingularValues {
  if (vector.kind === "lora") return loraSvd(vector.module);
  const [out = 0] = vector.shape;
  return truncatedSvd(matrix(out, vector.data.length / out, vector.data), { rank: count });
}
