import { AdapterError } from "../../errors.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { ParameterChange } from "../change.ts";
import { lowRankProduct, sumProducts } from "../lora.ts";
import { type ModuleChange, type ModuleTensors, misfit, numbers, sizeOf } from "./module-tensors.ts";

/**
 * DoRA (Liu et al. 2024): the changed weight's direction with a norm of its own, `m (W0 + dW) / ||W0 + dW||`, norms over each
 * output; files of LyCORIS before version 3 have them over each input. Any kind may bear it: what its weight's change was is
 * `dW`.
 * @throws AdapterError when there is no change of the weight, or the norms do not fit it
 */
export function withNorms(module: ModuleTensors, change: ModuleChange, kind: string): ModuleChange {
  const magnitude = module.tensors.get("magnitude");
  const norms = magnitude ?? module.tensors.get("doraScale");
  if (norms === undefined) return change;
  const inner = change.lowRank === undefined ? change.changes.find(ofWeight) : lowRankChange(module, change);
  if (inner === undefined) {
    throw new AdapterError(
      `${module.file}: module ${module.model.path} has norms (DoRA), but no change of its weight.`,
    );
  }
  const axis = axisOf(module, norms, magnitude !== undefined);
  const dora: ParameterChange = {
    ...inner,
    kind: kind === "LoRA" ? "DoRA" : `${kind} with norms`,
    parameters: inner.parameters + sizeOf([norms]),
    // The norms alone may change a weight.
    zero: false,
    delta: (base) => {
      const changed = inner.delta(base);
      for (let i = 0; i < changed.length; i++) changed[i]! += base[i]!;
      return rescaled(changed, base, numbers(norms), inner.shape, axis);
    },
  };
  return { changes: [dora, ...change.changes.filter((one) => one !== inner && !ofWeight(one))] };
}

const ofWeight = ({ parameter }: ParameterChange): boolean => parameter === "weight";

/** A low-rank product as a change of a whole weight. */
function lowRankChange({ model }: ModuleTensors, { lowRank }: ModuleChange): ParameterChange | undefined {
  if (lowRank === undefined) return undefined;
  const { path, down, up, alpha } = lowRank;
  return {
    path,
    parameter: "weight",
    kind: "LoRA",
    shape: model.weight,
    parameters: sizeOf([down, up]),
    rank: down.shape[0] ?? 0,
    alpha,
    zero: false,
    delta: () => {
      const sum = new Float64Array(elementCount(model.weight));
      sumProducts(sum, model.weight[0] ?? 0, [lowRankProduct(lowRank, 1)]);
      return sum;
    },
  };
}

/** Whether norms belong to outputs or inputs: PEFT's are always the outputs', LyCORIS's say it by their shape. */
function axisOf(module: ModuleTensors, norms: Tensor, ofOutputs: boolean): "out" | "in" {
  const [out = 0, columns = 0] = module.model.weight;
  const size = sizeOf([norms]);
  if (ofOutputs ? size === out : norms.shape[0] === out && size === out) return "out";
  if (!ofOutputs && norms.shape[0] === 1 && norms.shape[1] === columns && size === columns) return "in";
  throw misfit(module);
}

/** `m W / ||W|| - W0`. */
function rescaled(
  changed: Float64Array,
  base: Float32Array,
  magnitudes: Float32Array,
  [out = 0, columns = 0, ...window]: readonly number[],
  axis: "out" | "in",
): Float64Array {
  const area = elementCount(window);
  const row = columns * area;
  const place = (i: number): number => (axis === "out" ? Math.floor(i / row) : Math.floor((i % row) / area));
  const squares = new Float64Array(axis === "out" ? out : columns);
  for (let i = 0; i < changed.length; i++) squares[place(i)]! += changed[i]! ** 2;
  // A row of zeros has no direction; it stays.
  const factors = squares.map((square, i) => (square === 0 ? 0 : magnitudes[i]! / Math.sqrt(square)));
  for (let i = 0; i < changed.length; i++) changed[i] = changed[i]! * factors[place(i)]! - base[i]!;
  return changed;
}
