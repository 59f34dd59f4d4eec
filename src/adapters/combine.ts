import { AdapterError, UsageError } from "../errors.ts";
import { sameShape } from "../tensor/arithmetic.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import type { ParameterChange } from "./change.ts";
import { type LoraModule, loraRank, loraWeightShape, lowRankProduct, sumProducts } from "./lora.ts";

/** One adapter of a combination with its lambda: one number of any sign, or one for each layer. */
export interface WeightedAdapter {
  readonly lambda: number | ((path: string) => number);
  readonly modules: readonly LoraModule[];
  /** What it changes otherwise than by low-rank products; nothing unless told. */
  readonly changes?: readonly ParameterChange[];
}

/**
 * One adapter that does what several do together, `tau'_LCM = lambda_1 tau_style + lambda_2 tau_LCM`.
 *
 * Exact: ranks are set side by side, `[lambda_1 s_1 B_1 | lambda_2 s_2 B_2]` and `[A_1; A_2]`. Adding the A's and the B's
 * apart, as some programs do, would bring in products of one adapter's B with the other's A. The result's scale is 1.
 * @paper eq. 5
 * @throws AdapterError when two adapters change weights of different shape, UsageError when a lambda is not finite.
 */
export function combineAdapters(adapters: readonly WeightedAdapter[]): LoraModule[] {
  return Array.from(groupByPath(adapters), ([path, parts]) => concatenateRanks(path, parts));
}

/**
 * The weights of the adapted model, `theta'_LCM = theta_pre + tau'_LCM`, by name; what no adapter changes is shared with
 * the base.
 *
 * Summed in float64 over the base and all adapters, rounded once to float32 and from there to the weight's own type.
 * @paper eq. 6
 * @throws AdapterError when the base lacks a layer or shapes it otherwise, UsageError when a lambda is not finite.
 */
export function mergeAdapters(
  base: ReadonlyMap<string, Tensor>,
  adapters: readonly WeightedAdapter[],
): Map<string, Tensor> {
  const merged = new Map(base);
  for (const [path, parts] of groupByPath(adapters)) {
    const name = `${path}.weight`;
    const weight = base.get(name);
    if (weight === undefined)
      throw new AdapterError(`${path}: the adapter changes this layer, but the base lacks "${name}".`);
    merged.set(name, mergeWeight(path, weight, parts));
  }
  return merged;
}

/** One module of a combination with its own lambda. */
export interface WeightedModule {
  readonly lambda: number;
  readonly module: LoraModule;
}

/**
 * For each changed layer what changes it, in the adapters' order; a lambda of zero leaves out.
 * @throws AdapterError when an adapter is more than low-rank products, UsageError when a lambda is not finite
 */
export function groupByPath(adapters: readonly WeightedAdapter[]): Map<string, WeightedModule[]> {
  const groups = new Map<string, WeightedModule[]>();
  for (const { lambda: given, modules, changes: [other] = [] } of adapters) {
    if (other !== undefined) {
      throw new AdapterError(
        `${other.path}: an adapter's change of it is of the kind ${other.kind}; only plain LoRAs can be used here.`,
      );
    }
    for (const module of modules) {
      const lambda = lambdaOf(given, module.path);
      if (lambda === 0) continue;
      const group = groups.get(module.path);
      if (group === undefined) groups.set(module.path, [{ lambda, module }]);
      else group.push({ lambda, module });
    }
  }
  return groups;
}

/** An adapter's lambda in one layer. @throws UsageError when it is not finite */
export function lambdaOf(given: WeightedAdapter["lambda"], path: string): number {
  const lambda = typeof given === "number" ? given : given(path);
  if (Number.isFinite(lambda)) return lambda;
  throw new UsageError(`an adapter's weight must be a finite number, but it is ${lambda}.`);
}

/**
 * One weight of the adapted model: `mergeAdapters` for one layer, so that a caller can go layer by layer.
 * @throws AdapterError when the shapes differ or the weight is of an integer type.
 */
export function mergeWeight(path: string, weight: Tensor, parts: readonly WeightedModule[]): Tensor {
  for (const { module } of parts) {
    const shape = loraWeightShape(module);
    if (!sameShape(shape, weight.shape)) {
      throw new AdapterError(
        `${path}: its weight is [${weight.shape.join(", ")}] in the base, but the adapter changes one of [${shape.join(", ")}].`,
      );
    }
  }
  const products = parts.map(({ lambda, module }) => lowRankProduct(module, lambda));
  const rows = weight.shape[0] ?? 0;
  const { type } = weight;
  if (type === "float64") {
    const data = Float64Array.from(weight.data as Float64Array);
    sumProducts(data, rows, products);
    return { type, shape: weight.shape, data };
  }
  if (type !== "float32" && type !== "float16" && type !== "bfloat16") {
    throw new AdapterError(`${path}: its weight is of type ${type}, but only float weights can be merged.`);
  }
  const { shape, data } = toFloat32(weight);
  const sum = type === "float32" ? data.slice() : data;
  sumProducts(sum, rows, products);
  return fromFloat32({ type: "float32", shape, data: sum }, type);
}

/**
 * What several modules of one layer do together, as one of scale 1 and float32: `combineAdapters` for one layer.
 * @throws AdapterError when two of them change weights of different shape
 */
export function concatenateRanks(path: string, parts: readonly WeightedModule[]): LoraModule {
  const first = parts[0]!.module;
  const shape = loraWeightShape(first);
  const [rows = 0, ...inner] = shape;
  const rank = parts.reduce((sum, { module }) => sum + loraRank(module), 0);
  const down = new Float32Array(rank * elementCount(inner));
  const up = new Float32Array(rows * rank);
  let rankOffset = 0;
  for (const { lambda, module } of parts) {
    const other = loraWeightShape(module);
    if (!sameShape(shape, other)) {
      throw new AdapterError(
        `${path}: one adapter changes a weight of [${shape.join(", ")}], another of [${other.join(", ")}].`,
      );
    }
    const { up: b, down: a, rank: r, factor } = lowRankProduct(module, lambda);
    down.set(a, rankOffset * elementCount(inner));
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < r; i++) up[row * rank + rankOffset + i] = factor * b[row * r + i]!;
    }
    rankOffset += r;
  }
  const window = first.up.shape.slice(2);
  return {
    path,
    down: { type: "float32", shape: [rank, ...inner], data: down },
    up: { type: "float32", shape: [rows, rank, ...window], data: up },
    alpha: rank,
  };
}
