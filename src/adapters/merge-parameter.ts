import { AdapterError } from "../errors.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import type { ParameterChange } from "./change.ts";
import { groupByPath, lambdaOf, type WeightedAdapter, type WeightedModule } from "./combine.ts";
import { loraWeightShape, lowRankProduct, sumProducts } from "./lora.ts";

/** All that changes one parameter. */
export interface ParameterParts {
  readonly path: string;
  readonly products: readonly WeightedModule[];
  readonly changes: readonly { readonly lambda: number; readonly change: ParameterChange }[];
}

/**
 * What changes each parameter that any adapter changes otherwise than by low-rank products, by the parameter's name; with the
 * products that change it as well. The other products are left to `groupByPath`.
 * @throws UsageError when a lambda is not finite
 */
export function fullyChanged(adapters: readonly WeightedAdapter[]): Map<string, ParameterParts> {
  const found = new Map<string, { path: string; products: readonly WeightedModule[]; changes: Weighted[] }>();
  const products = groupByPath(lowRankParts(adapters));
  for (const { lambda: given, changes = [] } of adapters) {
    for (const change of changes) {
      const { path, parameter } = change;
      const lambda = lambdaOf(given, path);
      if (lambda === 0) continue;
      const name = `${path}.${parameter}`;
      const known = found.get(name);
      if (known !== undefined) known.changes.push({ lambda, change });
      else {
        const own = parameter === "weight" ? (products.get(path) ?? []) : [];
        found.set(name, { path, products: own, changes: [{ lambda, change }] });
      }
    }
  }
  return found;
}

type Weighted = ParameterParts["changes"][number];

/** The low-rank products of adapters alone, without those of the layers that are left out. */
export function lowRankParts(
  adapters: readonly WeightedAdapter[],
  without: ReadonlyMap<string, unknown> = new Map(),
): WeightedAdapter[] {
  return adapters.map(({ lambda, modules }) => ({
    lambda,
    modules: without.size === 0 ? modules : modules.filter(({ path }) => !without.has(`${path}.weight`)),
  }));
}

/**
 * One parameter with all changes, `theta_pre + sum_i lambda_i tau_i`: summed in float64, rounded once.
 * @throws AdapterError when the shapes differ or the parameter is of an integer type
 */
export function mergeParameter(name: string, base: Tensor, { products, changes }: ParameterParts): Tensor {
  for (const shape of [
    ...products.map(({ module }) => loraWeightShape(module)),
    ...changes.map(({ change }) => change.shape),
  ]) {
    if (sameNumbers(shape, base.shape)) continue;
    throw new AdapterError(
      `${name}: it is [${base.shape.join(", ")}] in the model, but an adapter changes one of [${shape.join(", ")}].`,
    );
  }
  const { type, shape } = base;
  if (type !== "float64" && type !== "float32" && type !== "float16" && type !== "bfloat16")
    throw new AdapterError(`${name}: it is of type ${type}, but only float numbers can be merged.`);
  const plain = toFloat32(base).data;
  const sum = type === "float64" ? Float64Array.from(base.data as Float64Array) : Float64Array.from(plain);
  sumProducts(
    sum,
    shape[0] ?? 1,
    products.map(({ lambda, module }) => lowRankProduct(module, lambda)),
  );
  for (const { lambda, change } of changes) {
    const delta = change.delta(plain);
    for (let i = 0; i < sum.length; i++) sum[i]! += lambda * delta[i]!;
  }
  if (type === "float64") return { type, shape, data: sum };
  return fromFloat32({ type: "float32", shape, data: Float32Array.from(sum) }, type);
}

/** Whether two shapes hold the same numbers in the same order: a matrix is a 1x1 convolution. */
function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return elementCount(a) === elementCount(b) && a[0] === b[0] && a[1] === b[1];
}
