import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import {
  type AdapterKind,
  allZero,
  alphaOf,
  type ModuleTensors,
  matrixShape,
  misfit,
  needed,
  numbers,
  sizeOf,
} from "./module-tensors.ts";
import { product, tuckerProduct } from "./products.ts";

/** One factor of a Kronecker product: a block `[rows, columns, window]`. */
interface Factor {
  readonly rows: number;
  /** Of the block's columns and its window together. */
  readonly width: number;
  /** Undefined where the block is given whole. */
  readonly rank: number | undefined;
  readonly parts: readonly Tensor[];
  readonly make: () => ArrayLike<number>;
}

/**
 * LoKr (Yeh et al. 2023): the Kronecker product `w1 x w2`, `W[a b, c d, h, w] = w1[a, c] w2[b, d, h, w]`. Either factor may
 * be a product of two, and the second in Tucker's form.
 */
export const kronecker: AdapterKind = {
  name: "LoKr",
  marks: ["kronecker1", "kronecker1A", "kronecker1B", "kronecker2", "kronecker2A", "kronecker2B", "kronecker2Core"],
  read: (module) => {
    const { path, weight } = module.model;
    const [out = 0, columns = 0, ...window] = weight;
    const first = factor(module, ["kronecker1", "kronecker1A", "kronecker1B"], "lokr_w1");
    const second = factor(module, ["kronecker2", "kronecker2A", "kronecker2B"], "lokr_w2");
    const area = elementCount(window);
    const inner = second.width / area;
    const fits =
      weight.length >= 2 &&
      first.rows * second.rows === out &&
      first.width * inner === columns &&
      Number.isInteger(inner);
    if (!fits) throw misfit(module);
    const rank = first.rank === undefined ? second.rank : first.rank;
    const alpha = rank === undefined ? undefined : alphaOf(module, rank);
    const scale = rank === undefined || alpha === undefined ? scaleOfWhole(module) : alpha / rank;
    const parts = [...first.parts, ...second.parts];
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: "LoKr",
          shape: weight,
          parameters: sizeOf(parts),
          rank,
          alpha,
          zero: parts.some(allZero),
          delta: () => {
            const [a, b] = [first.make(), second.make()];
            const made = new Float64Array(out * columns * area);
            for (let i = 0; i < first.rows; i++) {
              for (let k = 0; k < second.rows; k++) {
                const row = (i * second.rows + k) * columns * area;
                for (let j = 0; j < first.width; j++) {
                  const x = scale * a[i * first.width + j]!;
                  const to = row + j * second.width;
                  const from = k * second.width;
                  for (let l = 0; l < second.width; l++) made[to + l] = x * b[from + l]!;
                }
              }
            }
            return made;
          },
        },
      ],
    };
  },
};

/** LyCORIS scales whole factors by nothing; PEFT does by its configuration, and has no tensor for alpha. */
function scaleOfWhole({ tensors, alphaRule, model }: ModuleTensors): number {
  return tensors.has("alpha") ? 1 : alphaRule(model.path, 1);
}

type FactorRoles = readonly ["kronecker1" | "kronecker2", "kronecker1A" | "kronecker2A", "kronecker1B" | "kronecker2B"];

function factor(module: ModuleTensors, [whole, a, b]: FactorRoles, name: string): Factor {
  const given = module.tensors.get(whole);
  if (given !== undefined) {
    const [rows, width] = matrixShape(given);
    return { rows, width, rank: undefined, parts: [given], make: () => numbers(given) };
  }
  const left = needed(module, a, `${name} (or ${name}_a)`);
  const right = needed(module, b, `${name}_b`);
  const core = whole === "kronecker2" ? module.tensors.get("kronecker2Core") : undefined;
  const [leftRows, leftColumns] = matrixShape(left);
  const [rightRows, rightColumns] = matrixShape(right);
  if (core === undefined) {
    if (leftColumns !== rightRows) throw misfit(module);
    return {
      rows: leftRows,
      width: rightColumns,
      rank: rightRows,
      parts: [left, right],
      make: () => product(left, right),
    };
  }
  const [p = 0, q = 0, ...window] = core.shape;
  if (p !== leftRows || q !== rightRows || core.shape.length !== 4) throw misfit(module);
  return {
    rows: leftColumns,
    width: rightColumns * elementCount(window),
    rank: q,
    parts: [core, left, right],
    make: () => tuckerProduct(core, left, right),
  };
}
