import { elementCount } from "../../tensor/tensor.ts";
import { type AdapterKind, alphaOf, matrixShape, misfit, needed, numbers, sizeOf } from "./module-tensors.ts";
import { coreTimes, multiply, product } from "./products.ts";

/**
 * GLoRA (Chavan et al. 2023) as LyCORIS keeps it: `(alpha / rank) (b1 b2 + W0 a1 a2)`; of a convolution, `a1 a2` mixes the
 * inputs of each place of its window, and with a middle part `b1 b2` is in Tucker's form.
 */
export const glora: AdapterKind = {
  name: "GLoRA",
  marks: ["gloraA1", "gloraA2", "gloraB1", "gloraB2", "gloraMid"],
  read: (module) => {
    const { path, weight } = module.model;
    const [a1, a2] = [needed(module, "gloraA1", "a1"), needed(module, "gloraA2", "a2")];
    const [b1, b2] = [needed(module, "gloraB1", "b1"), needed(module, "gloraB2", "b2")];
    const middle = module.tensors.get("gloraMid");
    const [out = 0, columns = 0, ...window] = weight;
    const area = elementCount(window);
    const rank = a2.shape[0] ?? 0;
    const wanted = [
      [columns, rank],
      [rank, columns],
      [out, rank],
      [rank, middle === undefined ? columns * area : columns],
      ...(middle === undefined ? [] : [[rank, rank * area]]),
    ];
    const parts = [a1, a2, b1, b2, ...(middle === undefined ? [] : [middle])];
    if (weight.length < 2 || parts.map((part) => matrixShape(part).join()).join(";") !== wanted.join(";"))
      throw misfit(module);
    const alpha = alphaOf(module, rank);
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "GLoRA",
          shape: weight,
          parameters: sizeOf(parts),
          rank,
          alpha,
          zero: false,
          delta: (base) => {
            const scale = alpha / rank;
            const inner = middle === undefined ? numbers(b2) : coreTimes(middle, b2);
            const sum = multiply(numbers(b1), inner, out, rank, columns * area, scale);
            addMixed(sum, base, product(a1, a2, scale), columns, area);
            return sum;
          },
        },
      ],
    };
  },
};

/** Adds `sum_i base[o, i, place] mix[i, j]` to `sum[o, j, place]`. */
function addMixed(sum: Float64Array, base: Float32Array, mix: Float64Array, columns: number, area: number): void {
  for (let row = 0; row < sum.length; row += columns * area) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        const x = mix[i * columns + j]!;
        const [from, to] = [row + i * area, row + j * area];
        for (let place = 0; place < area; place++) sum[to + place]! += x * base[from + place]!;
      }
    }
  }
}
