import { elementCount } from "../../tensor/tensor.ts";
import { type AdapterKind, allZero, misfit, needed, numbers, sizeOf } from "./module-tensors.ts";

/** (IA)^3 (Liu et al. 2022) as LyCORIS keeps it: outputs, or inputs, are multiplied by `1 + w`. */
export const ia3: AdapterKind = {
  name: "IA3",
  marks: ["factorOnInput"],
  read: (module) => {
    const { path, weight } = module.model;
    const factors = needed(module, "factor", "weight");
    const onInput = (numbers(needed(module, "factorOnInput", "on_input"))[0] ?? 0) !== 0;
    const [out = 0, columns = 0, ...window] = weight;
    const area = elementCount(window);
    if (weight.length < 2 || sizeOf([factors]) !== (onInput ? columns : out)) throw misfit(module);
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "IA3",
          shape: weight,
          parameters: sizeOf([factors]),
          rank: undefined,
          alpha: undefined,
          zero: allZero(factors),
          delta: (base) => {
            const w = numbers(factors);
            const row = columns * area;
            return Float64Array.from(
              base,
              (x, i) => x * w[onInput ? Math.floor((i % row) / area) : Math.floor(i / row)]!,
            );
          },
        },
      ],
    };
  },
};
