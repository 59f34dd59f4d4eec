import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import {
  type AdapterKind,
  allZero,
  type ModuleChange,
  type ModuleTensors,
  misfit,
  needed,
  numbers,
  sizeOf,
} from "./module-tensors.ts";

/** Turns the rows of a weight in place: `[rows, width]`. */
type Turn = (rows: Float64Array, width: number, rotations: readonly Float64Array[]) => void;

/**
 * OFT (Qiu et al. 2023) and BOFT (Liu et al. 2024), as sd-scripts and LyCORIS keep them: blocks of a rotation `R` by Cayley's
 * parametrisation `R = (I + Q)(I - Q)^-1`, `Q = S - S'`, that turns the outputs, and optionally a factor for each of them.
 * Blocks `[n, b, b]` lie on the diagonal; blocks `[m, n, b, b]` are stages of a butterfly.
 */
export const orthogonal: AdapterKind = {
  name: "OFT",
  marks: ["rotations"],
  read: (module): ModuleChange => {
    const { path, weight } = module.model;
    const blocks = needed(module, "rotations", "oft_blocks");
    const rescale = module.tensors.get("rescale");
    const [out = 0, ...inner] = weight;
    const sides = blocks.shape;
    const [count = 0, size = 0, same = 0] = sides.slice(-3);
    const butterfly = sides.length === 4;
    const stages = butterfly ? (sides[0] ?? 0) : 1;
    const fits =
      weight.length >= 2 &&
      (sides.length === 3 || butterfly) &&
      size === same &&
      size > 0 &&
      count * size === out &&
      (!butterfly || (size % 2 === 0 && out % (2 ** (stages - 1) * size) === 0)) &&
      (rescale === undefined || sizeOf([rescale]) === out);
    if (!fits) throw misfit(module);
    const limit = constraint(module) * out;
    return {
      changes: [
        {
          path,
          parameter: "weight",
          kind: butterfly ? "BOFT" : "OFT",
          shape: weight,
          parameters: sizeOf([blocks, rescale]),
          rank: undefined,
          alpha: undefined,
          zero: rescale === undefined && allZero(blocks),
          delta: (base) => {
            const width = elementCount(inner);
            const turned = Float64Array.from(base);
            const turn = butterfly ? butterflyTurn(stages) : diagonalTurn;
            turn(turned, width, cayley(blocks, size, limit));
            const factors = rescale === undefined ? undefined : numbers(rescale);
            for (let i = 0; i < turned.length; i++)
              turned[i] = turned[i]! * (factors?.[Math.floor(i / width)] ?? 1) - base[i]!;
            return turned;
          },
        },
      ],
    };
  },
};

/** How far the rotations may go in all, as a share of the outputs: 0 is any way, which is also meant where nothing is said. */
function constraint({ tensors }: ModuleTensors): number {
  const alpha = tensors.get("alpha");
  const value = alpha === undefined ? 0 : (numbers(alpha)[0] ?? 0);
  return Number.isFinite(value) && value > 0 ? value : 0;
}

/** The rotations, block by block, each `[size, size]`. */
function cayley(blocks: Tensor, size: number, limit: number): Float64Array[] {
  const area = size * size;
  const data = numbers(blocks);
  const skew = new Float64Array(data.length);
  let squares = 0;
  for (let at = 0; at < data.length; at += area) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const q = data[at + i * size + j]! - data[at + j * size + i]!;
        skew[at + i * size + j] = q;
        squares += q * q;
      }
    }
  }
  const norm = Math.sqrt(squares) + 1e-8;
  const shrink = limit > 0 && norm > limit ? limit / norm : 1;
  const rotations: Float64Array[] = [];
  for (let at = 0; at < data.length; at += area) {
    const [plus, minus] = [new Float64Array(area), new Float64Array(area)];
    for (let i = 0; i < area; i++) {
      const one = i % (size + 1) === 0 ? 1 : 0;
      plus[i] = one + shrink * skew[at + i]!;
      minus[i] = one - shrink * skew[at + i]!;
    }
    rotations.push(solve(minus, plus, size));
  }
  return rotations;
}

/**
 * `minus^-1 plus` by Gauss and Jordan with pivots; both commute with it, so that it is `plus minus^-1` too. `I - Q` of a skew
 * `Q` is never singular.
 */
export function solve(minus: Float64Array, plus: Float64Array, size: number): Float64Array {
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(minus[row * size + column]!) > Math.abs(minus[pivot * size + column]!)) pivot = row;
    }
    for (const matrix of [minus, plus]) {
      if (pivot === column) break;
      for (let j = 0; j < size; j++) {
        const kept = matrix[column * size + j]!;
        matrix[column * size + j] = matrix[pivot * size + j]!;
        matrix[pivot * size + j] = kept;
      }
    }
    const inverse = 1 / minus[column * size + column]!;
    for (const matrix of [minus, plus]) for (let j = 0; j < size; j++) matrix[column * size + j]! *= inverse;
    for (let row = 0; row < size; row++) {
      const x = minus[row * size + column]!;
      if (row === column || x === 0) continue;
      for (const matrix of [minus, plus])
        for (let j = 0; j < size; j++) matrix[row * size + j]! -= x * matrix[column * size + j]!;
    }
  }
  return plus;
}

/** `W'[k m] = sum_n R_k[n, m] W[k n]`: the transposed rotation of each block of rows. */
const diagonalTurn: Turn = (rows, width, rotations) => {
  const size = Math.sqrt(rotations[0]?.length ?? 0);
  for (const [k, rotation] of rotations.entries()) {
    const places = Array.from({ length: size }, (_, i) => k * size + i);
    mix(rows, width, places, (m, n) => rotation[n * size + m]!);
  }
};

/** Stage by stage: rows that lie `2^stage size / 2` apart are brought together, and each block of them turned. */
const butterflyTurn =
  (stages: number): Turn =>
  (rows, width, rotations) => {
    const size = Math.sqrt(rotations[0]?.length ?? 0);
    const count = rotations.length / stages;
    for (let stage = 0; stage < stages; stage++) {
      const half = 2 ** stage * (size / 2);
      for (let block = 0; block < count; block++) {
        const places = Array.from({ length: size }, (_, i) => {
          // Place in the order `[groups, half, 2]` of what is stored as `[groups, 2, half]`.
          const at = block * size + i;
          const group = Math.floor(at / (2 * half));
          const within = at % (2 * half);
          return group * 2 * half + (within % 2) * half + Math.floor(within / 2);
        });
        const rotation = rotations[stage * count + block]!;
        mix(rows, width, places, (m, n) => rotation[m * size + n]!);
      }
    }
  };

/** Replaces the rows at these places by sums of them. */
function mix(
  rows: Float64Array,
  width: number,
  places: readonly number[],
  factor: (to: number, from: number) => number,
): void {
  const old = places.map((place) => rows.slice(place * width, (place + 1) * width));
  for (const [m, place] of places.entries()) {
    const target = rows.subarray(place * width, (place + 1) * width).fill(0);
    for (const [n, source] of old.entries()) {
      const x = factor(m, n);
      for (let j = 0; j < width; j++) target[j]! += x * source[j]!;
    }
  }
}
