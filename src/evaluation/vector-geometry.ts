import { type LoraModule, lowRankProduct } from "../adapters/lora.ts";
import { type Matrix, matrix, multiplyTransposed, transposedMultiply } from "../tensor/linear-algebra/matrix.ts";

/** Lengths of two task vectors and the angle between them, in the space of all weights. */
export interface VectorGeometry {
  /** Frobenius norms over all layers. */
  readonly norms: readonly [number, number];
  /** Of the angle between them; 0 where one of them changes nothing. */
  readonly cosine: number;
  /** Layers that both change, of those that each changes. */
  readonly shared: number;
  readonly layers: readonly [number, number];
}

interface Factors {
  /** `[out, rank]`. */
  readonly up: Matrix;
  /** `[rank, in]`. */
  readonly down: Matrix;
  readonly factor: number;
}

function factorsOf(module: LoraModule): Factors {
  const { up, down, rank, columns, factor } = lowRankProduct(module, 1);
  return { up: matrix(up.length / rank, rank, up), down: matrix(rank, columns, down), factor };
}

/** Inner product of two low-rank changes of one layer, tr((B1 A1)' B2 A2): that of B1' B2 with A1 A2', both of the ranks' size. */
function layerProduct(a: Factors, b: Factors): number {
  const ups = transposedMultiply(a.up, b.up);
  const downs = multiplyTransposed(a.down, b.down);
  let sum = 0;
  for (let i = 0; i < ups.data.length; i++) sum += ups.data[i]! * downs.data[i]!;
  return a.factor * b.factor * sum;
}

/** Inner product of two task vectors given as LoRAs: the sum over the layers that both change; no change is formed. */
export function vectorProduct(a: readonly LoraModule[], b: readonly LoraModule[]): number {
  const others = new Map(b.map((module) => [module.path, module]));
  let sum = 0;
  for (const module of a) {
    const other = others.get(module.path);
    if (other !== undefined) sum += layerProduct(factorsOf(module), factorsOf(other));
  }
  return sum;
}

/** Lengths of two task vectors and the angle between them. */
export function vectorGeometry(a: readonly LoraModule[], b: readonly LoraModule[]): VectorGeometry {
  const norms = [Math.sqrt(vectorProduct(a, a)), Math.sqrt(vectorProduct(b, b))] as const;
  const length = norms[0] * norms[1];
  const paths = new Set(b.map(({ path }) => path));
  return {
    norms,
    cosine: length === 0 ? 0 : vectorProduct(a, b) / length,
    shared: a.filter(({ path }) => paths.has(path)).length,
    layers: [a.length, b.length],
  };
}
