import { sameShape } from "../../tensor/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { ParameterChange } from "../change.ts";
import type { LoraModule } from "../lora.ts";
import {
  type AdapterKind,
  allZero,
  alphaOf,
  type ModuleChange,
  type ModuleTensors,
  misfit,
  needed,
  numbers,
  sizeOf,
} from "./module-tensors.ts";
import { coreTimes } from "./products.ts";

/**
 * A LoRA, or LoCon of a convolution: `(alpha / rank) B A`. With a middle part the convolution is in Tucker's form; as its
 * `up` is a matrix, the middle and the down part make one down part of a plain LoRA, exactly.
 */
export const lowRank: AdapterKind = {
  name: "LoRA",
  marks: ["down", "up", "mid"],
  read: (module) => {
    const down = needed(module, "down", "down part");
    const up = needed(module, "up", "up part");
    const lora = shaped(module, module.tensors.has("mid") ? folded(module, down) : down, up);
    const bias = module.tensors.get("upBias");
    return bias === undefined ? { lowRank: lora, changes: [] } : withBias(module, lora, bias);
  },
};

/** The parts in the shape of the model's own weight. */
function shaped(module: ModuleTensors, down: Tensor, up: Tensor): LoraModule {
  const { path, kind, weight } = module.model;
  const rank = down.shape[0] ?? 0;
  const [out = 0, ...inner] = weight;
  const window = kind === "conv" ? [1, 1] : [];
  const fits =
    kind !== "norm" && rank > 0 && sameUpToOnes(down.shape, [rank, ...inner]) && sameUpToOnes(up.shape, [out, rank]);
  if (!fits) throw misfit(module);
  return {
    path,
    down: { ...down, shape: [rank, ...inner] },
    up: { ...up, shape: [out, rank, ...window] },
    alpha: alphaOf(module, rank),
  };
}

/** The middle part `[rank, rank, height, width]` times the down part `[rank, in, 1, 1]`. */
function folded(module: ModuleTensors, down: Tensor): Tensor {
  const mid = needed(module, "mid", "middle part");
  const [rank = 0, ...inner] = down.shape;
  const [, columns = 0] = module.model.weight;
  const fits =
    mid.shape.length === 4 &&
    mid.shape[1] === rank &&
    inner[0] === columns &&
    inner.slice(1).every((side) => side === 1);
  if (!fits) throw misfit(module);
  const [outer = 0, , ...window] = mid.shape;
  return { type: "float32", shape: [outer, columns, ...window], data: Float32Array.from(coreTimes(mid, down)) };
}

/** PEFT's `lora_bias`: the up part has a bias, which is scaled as it is and added to the layer's. */
function withBias(module: ModuleTensors, lora: LoraModule, bias: Tensor): ModuleChange {
  const [out = 0] = module.model.weight;
  if (sizeOf([bias]) !== out) throw misfit(module);
  const scale = lora.alpha / (lora.down.shape[0] ?? 1);
  const change: ParameterChange = {
    path: lora.path,
    parameter: "bias",
    kind: "LoRA",
    shape: [out],
    parameters: out,
    rank: undefined,
    alpha: undefined,
    zero: allZero(bias),
    delta: () => Float64Array.from(numbers(bias), (x) => scale * x),
  };
  return { lowRank: lora, changes: [change] };
}

/** Whether two shapes differ in trailing ones only: a 1x1 convolution's weight is a linear layer's. */
function sameUpToOnes(a: readonly number[], b: readonly number[]): boolean {
  return sameShape(withoutTrailingOnes(a), withoutTrailingOnes(b)) || sameShape(a, b);
}

function withoutTrailingOnes(shape: readonly number[]): readonly number[] {
  return shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
}
