import { UsageError } from "../../errors.ts";
import { Mt19937 } from "../../tensor/random/mt19937.ts";
import { disjointMean, type SignElection, weightedSum } from "./mix.ts";
import { LargestMagnitudes, randomSparsifier, type Sparsifier } from "./sparsify.ts";

/** Ways to make one change of several. */
export const mergeMethods = ["linear", "magnitude-prune", "ties", "dare-linear", "dare-ties"] as const;

export type MergeMethod = (typeof mergeMethods)[number];

/** How changes are merged. */
export interface MergeOptions {
  readonly method: MergeMethod;
  /** Share of each change's elements that is kept, above 0 and up to 1; `linear` keeps all. */
  readonly density: number;
  /** Of the DARE methods: where torch's generator begins. */
  readonly seed: number;
  /** Of the TIES methods. */
  readonly election: SignElection;
}

export const mergeDefaults: MergeOptions = { method: "linear", density: 1, seed: 0, election: "total" };

/** The elements of one change, read from the first on, piece by piece; each call begins anew. */
export type ChangePieces = () => AsyncIterable<Float32Array>;

/** One of the changes that are merged. */
export interface WeightedChange {
  readonly weight: number;
  /** How many elements there are. */
  readonly size: number;
  readonly pieces: ChangePieces;
}

/**
 * The merged change, piece by piece, so that no change need be in memory whole: `task_arithmetic`, `magnitude_prune`, `ties`,
 * `dare_linear` and `dare_ties` as PEFT's `merge_utils` have them. Pieces of all changes must be cut at the same places; those
 * that are given are changed in place.
 * @throws UsageError when the density or a weight is out of bounds
 */
export async function* mergeChanges(
  changes: readonly WeightedChange[],
  options: MergeOptions,
): AsyncGenerator<Float64Array> {
  checkDensity(options.density);
  const weights = changes.map(({ weight }) => weight);
  const sparsifiers: (Sparsifier | undefined)[] = [];
  for (const [index, change] of changes.entries()) sparsifiers.push(await sparsifierOf(change, index, options));
  const readers = changes.map(({ pieces }) => pieces()[Symbol.asyncIterator]());
  for (;;) {
    const next = await Promise.all(readers.map((reader) => reader.next()));
    const pieces: Float32Array[] = [];
    for (const [i, { done, value }] of next.entries()) {
      if (done === true) continue;
      sparsifiers[i]?.(value);
      pieces.push(value);
    }
    if (pieces.length < changes.length || pieces.length === 0) return;
    const merged = new Float64Array(pieces[0]!.length);
    if (options.method === "ties" || options.method === "dare-ties")
      disjointMean(pieces, weights, merged, options.election);
    else weightedSum(pieces, weights, merged);
    yield merged;
  }
}

/** @throws UsageError when a share of elements to keep is not above 0 and up to 1 */
export function checkDensity(density: number): void {
  if (density > 0 && density <= 1) return;
  throw new UsageError(
    `the density is ${density}, but it must be above 0 and at most 1: the share of numbers to keep.`,
  );
}

async function sparsifierOf(
  { size, pieces }: WeightedChange,
  index: number,
  { method, density, seed }: MergeOptions,
): Promise<Sparsifier | undefined> {
  if (method === "linear" || density === 1) return undefined;
  if (method === "dare-linear" || method === "dare-ties") {
    const generator = new Mt19937(seed);
    // In one stream each change draws behind those before it, as in torch.
    for (let skipped = 0; skipped < index * size; skipped++) generator.uint32();
    return randomSparsifier(density, generator);
  }
  const largest = new LargestMagnitudes(Math.trunc(density * size));
  for (let pass = 0; pass < 2; pass++) {
    for await (const piece of pieces()) largest.add(piece);
    largest.endPass();
  }
  return largest.sparsifier();
}

/** The merged change of changes in memory, all of one size; see `mergeChanges`. */
export async function mergeArrays(
  changes: readonly Float32Array[],
  weights: readonly number[],
  options: MergeOptions,
): Promise<Float64Array> {
  const sizes = new Set(changes.map(({ length }) => length));
  const [size = 0] = sizes;
  if (sizes.size > 1) throw new UsageError(`changes of ${[...sizes].join(" and ")} numbers cannot be merged.`);
  const given = changes.map((change, i) => ({
    weight: weights[i]!,
    size,
    pieces: async function* pieces() {
      yield change.slice();
    },
  }));
  for await (const merged of mergeChanges(given, options)) return merged;
  return new Float64Array(size);
}
