import { AdapterError } from "../errors.ts";
import { gemm } from "../graph/ops/product.ts";
import { reshape } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterSource } from "../models/layers.ts";
import { elementCount } from "../tensor/tensor.ts";

/** The two factors of a layer's change `up x down`, with the scale already in them. */
export interface ChangeFactors {
  /** `[rank, in]`, or `[rank, in, height, width]` of a convolution. */
  readonly down: Value;
  /** `[out, rank]`, or `[out, rank, 1, 1]` of a convolution. */
  readonly up: Value;
}

/**
 * Parameters with adapters merged in: `W0 + B A` for the layers of `changes`, by path, and the base's own elsewhere.
 *
 * The sum is part of the graph. Where all of it is constant the runtime computes it once, when it compiles, in float32 with
 * the matrix product of its own, and prepares the result as it would a plain weight: a step costs what the base's does. The
 * base's weights are only read, so that leaving the adapters out gives their very bytes.
 * @throws AdapterError (from the source) when a change does not have the shape of the layer's weight
 */
export function mergedSource(base: ParameterSource, changes: ReadonlyMap<string, ChangeFactors>): ParameterSource {
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

function mergedValue(path: string, weight: Value, { down, up }: ChangeFactors): Value {
  const [out = 0, ...inner] = weight.shape;
  const [rank = 0, ...changed] = down.shape;
  const columns = elementCount(inner);
  if (up.shape[0] !== out || up.shape[1] !== rank || elementCount(changed) !== columns) {
    throw new AdapterError(
      `${path}: its weight is [${weight.shape.join(", ")}] in the model, but the adapter changes one of [${[up.shape[0], ...changed].join(", ")}].`,
    );
  }
  const sum = gemm(asMatrix(up, out, rank), asMatrix(down, rank, columns), asMatrix(weight, out, columns));
  return inner.length === 1 ? sum : reshape(sum, weight.shape);
}

/** The same numbers as a matrix; those of a leaf are described anew rather than copied. */
function asMatrix(value: Value, rows: number, columns: number): Value {
  const { source, shape } = value;
  if (shape.length === 2) return value;
  if (source.kind === "file") return { ...value, shape: [rows, columns] };
  if (source.kind !== "constant") return reshape(value, [rows, columns]);
  const tensor = { ...source.tensor, shape: [rows, columns] };
  return { ...value, shape: tensor.shape, source: { kind: "constant", tensor } };
}
