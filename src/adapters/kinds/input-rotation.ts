import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { RotationSettings } from "../alpha.ts";
import { type AdapterKind, allZero, misfit, needed, numbers, sizeOf } from "./module-tensors.ts";
import { solve } from "./orthogonal.ts";
import { multiply } from "./products.ts";

/** What PEFT does unless its configuration says otherwise. */
const usual: RotationSettings = { terms: 5, bound: undefined };

/**
 * OFT as PEFT keeps it: rotations of blocks of the inputs, `W' = W R'`, each given by what is above the diagonal of a skew `Q`,
 * `R = (I - Q)(I + Q)^-1`, or by default the beginning of a series for `(I + Q)(I - Q)^-1`. Of a convolution the inputs are
 * those of its whole window. One row serves all blocks.
 */
export const inputRotation: AdapterKind = {
  name: "OFT",
  marks: ["rotationVectors"],
  read: (module) => {
    const { path, weight } = module.model;
    const vectors = needed(module, "rotationVectors", "oft_R");
    const [rows = 0, entries = 0] = vectors.shape;
    const size = (1 + Math.sqrt(1 + 8 * entries)) / 2;
    const width = elementCount(weight.slice(1));
    const fits =
      weight.length >= 2 &&
      vectors.shape.length === 2 &&
      Number.isInteger(size) &&
      width % size === 0 &&
      (rows === 1 || rows * size === width);
    if (!fits) throw misfit(module);
    const settings = module.alphaRule.rotation ?? usual;
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "OFT",
          shape: weight,
          parameters: sizeOf([vectors]),
          rank: undefined,
          alpha: undefined,
          zero: allZero(vectors),
          delta: (base) => {
            const rotations = skewMatrices(vectors, size, settings.bound).map((q) =>
              rotationOf(q, size, settings.terms),
            );
            const turned = new Float64Array(base.length);
            for (let at = 0; at < base.length; at += size) {
              const rotation = rotations[rows === 1 ? 0 : (at % width) / size]!;
              for (let i = 0; i < size; i++) {
                let sum = 0;
                for (let j = 0; j < size; j++) sum += rotation[i * size + j]! * base[at + j]!;
                turned[at + i] = sum - base[at + i]!;
              }
            }
            return turned;
          },
        },
      ],
    };
  },
};

/** `Q`, block by block; a longer one than the bound, shared by all blocks, is shortened to it. */
function skewMatrices(vectors: Tensor, size: number, bound: number | undefined): Float64Array[] {
  const data = numbers(vectors);
  const [rows = 0, entries = 0] = vectors.shape;
  return Array.from({ length: rows }, (_, row) => {
    const matrix = new Float64Array(size * size);
    let at = row * entries;
    for (let i = 0; i < size; i++) {
      for (let j = i + 1; j < size; j++, at++) {
        matrix[i * size + j] = data[at]!;
        matrix[j * size + i] = -data[at]!;
      }
    }
    const norm = Math.sqrt(matrix.reduce((sum, x) => sum + x * x, 0));
    const most = bound === undefined ? norm : bound / Math.sqrt(rows);
    return norm > most ? matrix.map((x) => (x * most) / norm) : matrix;
  });
}

/** `I + 2 Q + 2 Q^2 + ... + Q^(terms - 1)`, or without a number of terms the rotation itself, which turns the other way. */
function rotationOf(skew: Float64Array, size: number, terms: number | undefined): Float64Array {
  const identity = skew.map((_, i) => (i % (size + 1) === 0 ? 1 : 0));
  if (terms === undefined) {
    const plus = identity.map((one, i) => one + skew[i]!);
    const minus = identity.map((one, i) => one - skew[i]!);
    return solve(plus, minus, size);
  }
  const sum = identity.slice();
  let power: Float64Array = identity;
  // PEFT's series of three terms has the cube as well.
  const last = terms > 2 ? Math.max(terms - 1, 3) : terms - 1;
  for (let degree = 1; degree <= last; degree++) {
    power = multiply(power, skew, size, size, size);
    const factor = degree === last && terms > 2 ? 1 : 2;
    for (let i = 0; i < sum.length; i++) sum[i]! += factor * power[i]!;
  }
  return sum;
}
