import { elementCount } from "../../tensor/tensor.ts";
import { type AdapterKind, alphaOf, matrixShape, misfit, needed, sizeOf } from "./module-tensors.ts";
import { multiply, product } from "./products.ts";

/** GLoRA (Chavan et al. 2023) of linear layers as LyCORIS keeps it: `(alpha / rank) (b1 b2 + W0 a1 a2)`. */
export const glora: AdapterKind = {
  name: "GLoRA",
  marks: ["gloraA1", "gloraA2", "gloraB1", "gloraB2", "gloraMid"],
  read: (module) => {
    const { path, weight } = module.model;
    const [a1, a2] = [needed(module, "gloraA1", "a1"), needed(module, "gloraA2", "a2")];
    const [b1, b2] = [needed(module, "gloraB1", "b1"), needed(module, "gloraB2", "b2")];
    const [out = 0, columns = 0, ...window] = weight;
    const shapes = [a1, a2, b1, b2].map(matrixShape);
    const rank = shapes[1]?.[0] ?? 0;
    const wanted = [
      [columns, rank],
      [rank, columns],
      [out, rank],
      [rank, columns],
    ];
    if (module.tensors.has("gloraMid") || elementCount(window) !== 1 || shapes.join() !== wanted.join())
      throw misfit(module);
    const alpha = alphaOf(module, rank);
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "GLoRA",
          shape: weight,
          parameters: sizeOf([a1, a2, b1, b2]),
          rank,
          alpha,
          zero: false,
          delta: (base) => {
            const scale = alpha / rank;
            const sum = product(b1, b2, scale);
            const turned = multiply(base, product(a1, a2), out, columns, columns, scale);
            for (let i = 0; i < sum.length; i++) sum[i]! += turned[i]!;
            return sum;
          },
        },
      ],
    };
  },
};
