import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { ParameterChange } from "../change.ts";
import { type AdapterKind, allZero, type ModuleTensors, misfit, numbers, sizeOf } from "./module-tensors.ts";

/** Whole differences of a weight, as they are: of a linear layer, a convolution or a normalisation. */
export const difference: AdapterKind = {
  name: "full",
  marks: ["difference"],
  read: (module) => ({ changes: added(module, "difference", "weight", "full") }),
};

/** Differences of a normalisation, as LyCORIS keeps them. */
export const normDifference: AdapterKind = {
  name: "norm",
  marks: ["normWeight", "normBias"],
  read: (module) => {
    if (module.model.kind !== "norm") throw misfit(module);
    return {
      changes: [...added(module, "normWeight", "weight", "norm"), ...added(module, "normBias", "bias", "norm")],
    };
  },
};

/** A difference of the bias, which adapters of every kind may have beside their change of the weight. */
export function biasDifference(module: ModuleTensors): readonly ParameterChange[] {
  return added(module, "biasDifference", "bias", "bias");
}

function added(
  module: ModuleTensors,
  role: "difference" | "biasDifference" | "normWeight" | "normBias",
  parameter: "weight" | "bias",
  kind: string,
): ParameterChange[] {
  const tensor = module.tensors.get(role);
  if (tensor === undefined) return [];
  const { path, weight } = module.model;
  const shape = parameter === "bias" ? weight.slice(0, 1) : weight;
  if (!fits(tensor, shape)) throw misfit(module);
  return [
    {
      path,
      parameter,
      kind,
      shape,
      parameters: sizeOf([tensor]),
      rank: undefined,
      alpha: undefined,
      zero: allZero(tensor),
      delta: () => Float64Array.from(numbers(tensor)),
    },
  ];
}

/** Sides of one may be there or not: a matrix and a 1x1 convolution hold the same numbers. */
function fits(tensor: Tensor, shape: readonly number[]): boolean {
  const core = (sides: readonly number[]): string => sides.filter((side) => side !== 1).join();
  return core(tensor.shape) === core(shape) && elementCount(tensor.shape) === elementCount(shape);
}
