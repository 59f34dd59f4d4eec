import { UsageError } from "../errors.ts";
import { counterPermutation } from "../tensor/random/counter.ts";
import { expectSameFeatures, type FeatureIdentity, type Features, selectFeatures } from "./features.ts";
import { type Matrix, matrix, type Products } from "./products.ts";

export interface KernelDistanceOptions {
  readonly subsets: number;
  /** Pictures of each set in a subset; all, where a set has no more. */
  readonly subsetSize: number;
  /** Which pictures a subset holds follows from it. */
  readonly seed: number;
}

/** As torch-fidelity has it. */
export const kernelDistanceDefaults: KernelDistanceOptions = { subsets: 100, subsetSize: 1000, seed: 0 };

export interface KernelDistance {
  /** Mean over subsets; without bias, hence now and then below zero. */
  readonly distance: number;
  /** Standard deviation over subsets; 0 where each holds all pictures. */
  readonly deviation: number;
  readonly identity: FeatureIdentity;
  readonly counts: readonly [number, number];
  /** Pictures of each set in a subset, and how many subsets there were. */
  readonly subsetSize: number;
  readonly subsets: number;
}

/** (x . y / width + 1)^3 of all pairs of rows. */
async function kernel(products: Products, a: Matrix, b: Matrix): Promise<Matrix> {
  const { shape, data } = await products.multiply(a, b, { b: true });
  const width = a.shape[1]!;
  return { type: "float64", shape, data: data.map((x) => (x / width + 1) ** 3) };
}

/** Sum of all elements, without the diagonal where told. */
function total({ shape, data }: Matrix, withDiagonal: boolean): number {
  let sum = 0;
  for (const x of data) sum += x;
  if (!withDiagonal) for (let i = 0; i < shape[0]!; i++) sum -= data[i * shape[1]! + i]!;
  return sum;
}

const wide = ({ rows: { shape, data } }: Features): Matrix => matrix(shape[0]!, shape[1]!, Float64Array.from(data));

/** The unbiased estimate of the squared maximum mean discrepancy of two sets of rows. */
async function discrepancy(products: Products, a: Features, b: Features): Promise<number> {
  const [x, y] = [wide(a), wide(b)];
  const [m, n] = [x.shape[0]!, y.shape[0]!];
  const within = total(await kernel(products, x, x), false) / (m * (m - 1));
  const other = total(await kernel(products, y, y), false) / (n * (n - 1));
  return within + other - (2 * total(await kernel(products, x, y), true)) / (m * n);
}

/**
 * Kernel inception distance (Binkowski et al., arXiv:1801.01401): the squared maximum mean discrepancy of a cubic kernel,
 * estimated without bias on subsets; unlike the Frechet distance it does not depend on the number of pictures on average.
 * @throws UsageError when a set has fewer than two pictures, or two networks made the features
 */
export async function kernelDistance(
  products: Products,
  a: Features,
  b: Features,
  options: Partial<KernelDistanceOptions> = {},
): Promise<KernelDistance> {
  const { subsets: wanted, subsetSize, seed } = { ...kernelDistanceDefaults, ...options };
  expectSameFeatures(a, b);
  const counts = [a.rows.shape[0]!, b.rows.shape[0]!] as const;
  const size = Math.min(subsetSize, ...counts);
  if (size < 2)
    throw new UsageError(
      `A kernel distance needs at least 2 pictures in each set, but there are ${counts.join(" and ")}.`,
    );
  const whole = counts.every((count) => count <= subsetSize);
  const subsets = whole ? 1 : wanted;
  const values: number[] = [];
  for (let i = 0; i < subsets; i++) {
    const part = (features: Features, stream: string, count: number): Features =>
      whole ? features : selectFeatures(features, counterPermutation(seed, stream, i, count).subarray(0, size));
    values.push(await discrepancy(products, part(a, "kernel first", counts[0]), part(b, "kernel second", counts[1])));
  }
  const distance = values.reduce((sum, x) => sum + x, 0) / subsets;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - distance) ** 2, 0) / subsets);
  return { distance, deviation, identity: a.identity, counts, subsetSize: whole ? Math.max(...counts) : size, subsets };
}
