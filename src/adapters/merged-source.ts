import { AdapterError } from "../errors.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { gemm } from "../graph/ops/product.ts";
import { reshape } from "../graph/ops/structure.ts";
import { constant, type Value } from "../graph/value.ts";
import type { ParameterSource } from "../models/layers.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { groupByPath, type WeightedAdapter } from "./combine.ts";
import { loraScale } from "./lora.ts";

/** The change of a layer's weight by one adapter, `factor * up x down`. */
export interface ChangeFactors {
  /** `[rank, in]`, or `[rank, in, height, width]` of a convolution; float32. */
  readonly down: Value;
  /** `[out, rank]`, or `[out, rank, 1, 1]` of a convolution; float32. */
  readonly up: Value;
  /** The adapter's lambda times its own scale. */
  readonly factor: number;
}

/**
 * What adapters change, by path, with their factors as constants in memory.
 * @param keep makes a value of a factor, e.g. of one that was stored elsewhere
 * @throws UsageError when a lambda is not finite
 */
export function changesOf(
  adapters: readonly WeightedAdapter[],
  keep: (tensor: Tensor) => Value = (tensor) => cast(constant(tensor), "float32"),
): Map<string, readonly ChangeFactors[]> {
  return new Map(
    Array.from(groupByPath(adapters), ([path, parts]) => [
      path,
      parts.map(({ lambda, module }) => ({
        down: keep(module.down),
        up: keep(module.up),
        factor: lambda * loraScale(module),
      })),
    ]),
  );
}

/**
 * Parameters with adapters merged in: `W0 + sum_i factor_i B_i A_i` for the layers of `changes`, by path, and the base's own
 * elsewhere.
 *
 * The sum is part of the graph. Where all of it is constant it is computed once, in float32 with the runtime's
 * matrix product, and serves as a plain weight would: a step costs what the base's does. The
 * base's weights are only read, so that leaving the adapters out gives their very bytes.
 * @throws AdapterError (from the source) when a change does not have the shape of the layer's weight
 */
export function mergedSource(
  base: ParameterSource,
  changes: ReadonlyMap<string, readonly ChangeFactors[]>,
): ParameterSource {
  const made = new Map<string, Value>();
  return (name, shape) => {
    const plain = base(name, shape);
    const path = name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
    const change = path === undefined ? undefined : changes.get(path);
    if (path === undefined || change === undefined) return plain;
    const known = made.get(name) ?? mergedValue(path, plain, change);
    made.set(name, known);
    return known;
  };
}

const suffix = ".weight";

function mergedValue(path: string, weight: Value, changes: readonly ChangeFactors[]): Value {
  const [out = 0, ...inner] = weight.shape;
  const columns = elementCount(inner);
  let sum = reshape(weight, [out, columns]);
  for (const { down, up, factor } of changes) {
    const [rank = 0, ...changed] = down.shape;
    if (up.shape[0] !== out || up.shape[1] !== rank || elementCount(changed) !== columns) {
      throw new AdapterError(
        `${path}: its weight is [${weight.shape.join(", ")}] in the model, but the adapter changes one of [${[up.shape[0], ...changed].join(", ")}].`,
      );
    }
    sum = gemm(reshape(up, [out, rank]), reshape(down, [rank, columns]), sum, { alpha: factor });
  }
  return reshape(sum, weight.shape);
}
