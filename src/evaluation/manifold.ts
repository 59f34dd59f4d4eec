import { UsageError } from "../errors.ts";
import { expectSameFeatures, type FeatureIdentity, type Features } from "./features.ts";
import { type Matrix, matrix, type Products } from "./products.ts";

/** How two sets of pictures overlap; each share is from 0 to 1, density may exceed 1. */
export interface ManifoldMeasures {
  /** Share of drawn pictures that lie among the real. */
  readonly precision: number;
  /** Share of real pictures that lie among the drawn. */
  readonly recall: number;
  /** How densely real pictures surround the drawn; 1 where both are alike. */
  readonly density: number;
  /** Share of real pictures with a drawn one near. */
  readonly coverage: number;
  readonly identity: FeatureIdentity;
  readonly counts: readonly [real: number, drawn: number];
  readonly neighbours: number;
}

/** Rows at once: a block of distances takes `rows` times the pictures times eight bytes. */
const blockRows = 256;

/** Calls `use` with the squared distances of each row of `a` from all rows of `b`. */
async function forEachRow(
  products: Products,
  a: Matrix,
  b: Matrix,
  use: (squares: Float64Array, row: number) => void,
): Promise<void> {
  const [count, width] = a.shape as [number, number];
  const norms = squaredNorms(b);
  const own = squaredNorms(a);
  for (let start = 0; start < count; start += blockRows) {
    const rows = Math.min(blockRows, count - start);
    const part = matrix(rows, width, a.data.slice(start * width, (start + rows) * width));
    const { data } = await products.multiply(part, b, { b: true });
    for (let i = 0; i < rows; i++) {
      const inner = data.subarray(i * norms.length, (i + 1) * norms.length);
      const squares = inner.map((x, j) => Math.max(0, own[start + i]! + norms[j]! - 2 * x));
      use(squares, start + i);
    }
  }
}

function squaredNorms({ shape, data }: Matrix): Float64Array {
  const [count, width] = shape as [number, number];
  const out = new Float64Array(count);
  for (let i = 0; i < data.length; i++) out[Math.floor(i / width)]! += data[i]! * data[i]!;
  return out;
}

/** Squared distance of each row from its k-th neighbour, itself not counted. */
async function radii(products: Products, a: Matrix, neighbours: number): Promise<Float64Array> {
  const out = new Float64Array(a.shape[0]!);
  await forEachRow(products, a, a, (squares, row) => {
    squares[row] = 0;
    out[row] = squares.sort()[neighbours]!;
  });
  return out;
}

/**
 * Improved precision and recall (Kynkaanniemi et al., arXiv:1904.06991), density and coverage (Naeem et al.,
 * arXiv:2002.09797), by balls around pictures that reach to the k-th neighbour of their own set; 5 unless told.
 * @throws UsageError when a set has no more than k pictures, or two networks made the features
 */
export async function manifoldMeasures(
  products: Products,
  real: Features,
  drawn: Features,
  neighbours = 5,
): Promise<ManifoldMeasures> {
  expectSameFeatures(real, drawn);
  const wide = ({ rows: { shape, data } }: Features): Matrix => matrix(shape[0]!, shape[1]!, Float64Array.from(data));
  const [r, d] = [wide(real), wide(drawn)];
  const counts = [r.shape[0]!, d.shape[0]!] as const;
  if (Math.min(...counts) <= neighbours) {
    throw new UsageError(
      `Precision and recall by ${neighbours} neighbours need at least ${neighbours + 1} pictures in each set, but there are ${counts.join(" and ")}.`,
    );
  }
  const [around, reach] = [await radii(products, r, neighbours), await radii(products, d, neighbours)];
  const held = new Int32Array(counts[1]);
  let [recalled, covered] = [0, 0];
  await forEachRow(products, r, d, (squares, row) => {
    let [inDrawn, near] = [false, false];
    for (let j = 0; j < squares.length; j++) {
      if (squares[j]! < around[row]!) {
        held[j]!++;
        near = true;
      }
      if (squares[j]! < reach[j]!) inDrawn = true;
    }
    if (inDrawn) recalled++;
    if (near) covered++;
  });
  return {
    precision: held.filter((n) => n > 0).length / counts[1],
    recall: recalled / counts[0],
    density: held.reduce((sum, n) => sum + n, 0) / (neighbours * counts[1]),
    coverage: covered / counts[0],
    identity: real.identity,
    counts,
    neighbours,
  };
}
