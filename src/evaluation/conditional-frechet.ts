import { UsageError } from "../errors.ts";
import { pivotedCholesky } from "./cholesky.ts";
import { expectSameFeatures, type FeatureIdentity, type Features } from "./features.ts";
import { centredRows, leastPictures, meanOfRows, traceOfRoot } from "./frechet.ts";
import { type Matrix, matrix, type Products } from "./products.ts";

export interface ConditionalFrechetDistance {
  readonly distance: number;
  readonly identity: FeatureIdentity;
  /** What the conditions' rows are, e.g. the text encoder's name. */
  readonly conditions: string;
  readonly count: number;
}

/** Rows of conditions, one for each picture: captions as a text encoder has them. */
export interface Conditions {
  readonly name: string;
  /** `[pictures, width]`. */
  readonly rows: Features["rows"];
}

/** Share of the largest direction below which conditions do not differ. */
const negligible = 1e-10;

/**
 * An orthonormal basis `[rank, count]` of what conditions vary in: rows of centred conditions as functions of the picture,
 * by Gram and Schmidt's method, twice, with the largest remaining first.
 * @param centred `[count, width]`
 */
function conditionBasis({ shape, data }: Matrix): Matrix {
  const [count, width] = shape as [number, number];
  const columns = Array.from({ length: width }, (_, j) =>
    Float64Array.from({ length: count }, (_, i) => data[i * width + j]!),
  );
  const lengths = columns.map((column) => column.reduce((sum, x) => sum + x * x, 0));
  const least = negligible * Math.max(...lengths);
  const basis: Float64Array[] = [];
  while (basis.length < Math.min(count, width)) {
    let pivot = 0;
    for (let j = 1; j < width; j++) if (lengths[j]! > lengths[pivot]!) pivot = j;
    if (!(lengths[pivot]! > least)) break;
    const column = columns[pivot]!;
    // Once more, since the first pass leaves rounding behind.
    for (const before of basis) takeAway(column, before);
    const norm = Math.sqrt(column.reduce((sum, x) => sum + x * x, 0));
    const direction = column.map((x) => x / norm);
    basis.push(direction);
    columns.forEach((other, j) => {
      if (j === pivot) return;
      const share = takeAway(other, direction);
      lengths[j]! -= share * share;
    });
    lengths[pivot] = Number.NEGATIVE_INFINITY;
  }
  const out = new Float64Array(basis.length * count);
  basis.forEach((row, i) => {
    out.set(row, i * count);
  });
  return matrix(basis.length, count, out);
}

/** Takes a direction out of a column and returns how much there was. */
function takeAway(column: Float64Array, direction: Float64Array): number {
  let share = 0;
  for (let i = 0; i < column.length; i++) share += column[i]! * direction[i]!;
  for (let i = 0; i < column.length; i++) column[i]! -= share * direction[i]!;
  return share;
}

/** What is left of centred rows when their regression on the conditions is taken out, and that regression. */
async function conditioned(
  products: Products,
  basis: Matrix,
  rows: Matrix,
): Promise<{ readonly shares: Matrix; readonly rest: Matrix }> {
  const shares = await products.multiply(basis, rows);
  const explained = await products.multiply(basis, shares, { a: true });
  const data = rows.data.map((x, i) => x - explained.data[i]!);
  return { shares, rest: matrix(rows.shape[0]!, rows.shape[1]!, data) };
}

const squareSum = ({ data }: Matrix): number => data.reduce((sum, x) => sum + x * x, 0);

/**
 * Conditional Frechet distance (Soloveitchik et al., arXiv:2103.11521): of real and drawn pictures y and y' of the same
 * captions x, |mu - mu'|^2 + Tr((C_yx - C_y'x) C_xx^-1 (C_xy - C_xy')) + the Frechet distance of the covariances that are
 * left given x. Where captions are fewer than their encoding is wide, C_xx^-1 is the pseudo-inverse.
 *
 * It is worked out on pictures, not on covariances: with Q an orthonormal basis of the conditions over the pictures,
 * C_yx C_xx^-1 C_xy' is (Q Y)' (Q Y').
 * @param real features of real pictures, @param drawn of drawn ones, @param conditions of their captions, all in one order
 * @throws UsageError when numbers of pictures differ, there are too few, or two networks made the features
 */
export async function conditionalFrechetDistance(
  products: Products,
  real: Features,
  drawn: Features,
  conditions: Conditions,
): Promise<ConditionalFrechetDistance> {
  expectSameFeatures(real, drawn);
  const counts = [real.rows.shape[0]!, drawn.rows.shape[0]!, conditions.rows.shape[0]!];
  const [count, width] = real.rows.shape as [number, number];
  if (counts.some((n) => n !== count)) {
    throw new UsageError(
      `A conditional Frechet distance pairs pictures by caption, but there are ${counts[0]} real, ${counts[1]} drawn and ${counts[2]} captions; their numbers must be equal.`,
    );
  }
  if (count < leastPictures)
    throw new UsageError(
      `A conditional Frechet distance needs at least ${leastPictures} pictures, but there are ${count}.`,
    );
  const means = [real, drawn].map(({ rows }) => meanOfRows(rows)) as [Float64Array, Float64Array];
  const basis = conditionBasis(centredRows(conditions.rows, meanOfRows(conditions.rows)));
  const a = await conditioned(products, basis, centredRows(real.rows, means[0]));
  const b = await conditioned(products, basis, centredRows(drawn.rows, means[1]));
  let distance = 0;
  for (let i = 0; i < width; i++) distance += (means[0][i]! - means[1][i]!) ** 2;
  for (let i = 0; i < a.shares.data.length; i++) distance += (a.shares.data[i]! - b.shares.data[i]!) ** 2;
  const factors: Matrix[] = [];
  for (const { rest } of [a, b])
    factors.push(count <= width ? rest : pivotedCholesky(await products.multiply(rest, rest, { a: true })));
  const root = await traceOfRoot(products, factors[0]!, factors[1]!);
  distance += squareSum(a.rest) + squareSum(b.rest) - 2 * root;
  return { distance, identity: real.identity, conditions: conditions.name, count };
}
