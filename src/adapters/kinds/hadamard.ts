import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import { type AdapterKind, allZero, alphaOf, matrixShape, misfit, needed, sizeOf } from "./module-tensors.ts";
import { product, tuckerProduct } from "./products.ts";

/**
 * LoHa (Hyeon-Woo et al. 2022, FedPara): `(alpha / rank) (w1a w1b) * (w2a w2b)`, element by element; of a convolution in
 * Tucker's form each half has a core.
 */
export const hadamard: AdapterKind = {
  name: "LoHa",
  marks: ["hadamard1A", "hadamard1B", "hadamard2A", "hadamard2B", "hadamard1Core", "hadamard2Core"],
  read: (module) => {
    const { path, weight } = module.model;
    const part = (role: "hadamard1A" | "hadamard1B" | "hadamard2A" | "hadamard2B", name: string): Tensor =>
      needed(module, role, name);
    const [w1a, w1b] = [part("hadamard1A", "hada_w1_a"), part("hadamard1B", "hada_w1_b")];
    const [w2a, w2b] = [part("hadamard2A", "hada_w2_a"), part("hadamard2B", "hada_w2_b")];
    const [first, second] = [module.tensors.get("hadamard1Core"), module.tensors.get("hadamard2Core")];
    if ((first === undefined) !== (second === undefined)) {
      needed(module, first === undefined ? "hadamard1Core" : "hadamard2Core", "other core (hada_t1 or hada_t2)");
    }
    const [out = 0, ...inner] = weight;
    const columns = elementCount(inner);
    const half = (a: Tensor, b: Tensor, core: Tensor | undefined): boolean => {
      const [rows, rank] = matrixShape(a);
      const [bRows, bColumns] = matrixShape(b);
      if (core === undefined) return rows === out && rank === bRows && bColumns === columns;
      const [p = 0, q = 0, ...window] = core.shape;
      return (
        p === rows &&
        rank === out &&
        q === bRows &&
        bColumns === inner[0] &&
        elementCount(window) === columns / bColumns
      );
    };
    if (weight.length < 2 || !half(w1a, w1b, first) || !half(w2a, w2b, second)) throw misfit(module);
    const rank = w1b.shape[0] ?? 0;
    const alpha = alphaOf(module, rank);
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "LoHa",
          shape: weight,
          parameters: sizeOf([w1a, w1b, w2a, w2b, first, second]),
          rank,
          alpha,
          zero: [w1a, w1b, w2a, w2b].some(allZero),
          delta: () => {
            const one = first === undefined ? product(w1a, w1b) : tuckerProduct(first, w1a, w1b);
            const two = second === undefined ? product(w2a, w2b) : tuckerProduct(second, w2a, w2b);
            const scale = alpha / rank;
            for (let i = 0; i < one.length; i++) one[i]! *= scale * two[i]!;
            return one;
          },
        },
      ],
    };
  },
};
