import { type MergeOptions, mergeChanges, type WeightedChange } from "../../adapters/arithmetic/merge-changes.ts";
import { slerpFactors } from "../../adapters/arithmetic/slerp.ts";
import { UsageError } from "../../errors.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { addPiece, type ParameterTerm } from "./model-terms.ts";
import { type PieceReader, ranges } from "./tensor-pieces.ts";

/** How models are merged: as changes are, or on the sphere between the base and one other model. */
export type ModelMergeOptions = Omit<MergeOptions, "method"> & { readonly method: MergeOptions["method"] | "slerp" };

/** One parameter of the base, and by how much the base counts. */
export interface BaseTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly weight: number;
  readonly read: PieceReader;
}

/**
 * The merged parameter, piece by piece in float64.
 *
 * `linear`: the weighted sum of the base and of all terms. `slerp`: between the base and the one term, which has the weight
 * t. Other methods: the base and the merged changes, a model's change being what it differs from the base by.
 */
export async function* mergedPieces(
  base: BaseTensor,
  terms: readonly ParameterTerm[],
  options: ModelMergeOptions,
): AsyncGenerator<Float64Array> {
  const { method } = options;
  if (method !== "linear" && method !== "slerp") {
    yield* withMergedChanges(base, terms, { ...options, method });
    return;
  }
  const factors = method === "slerp" ? await sphereFactors(base, terms) : [base.weight, ...terms.map((t) => t.weight)];
  for (const [from, to] of ranges(base.shape)) {
    const sums = new Float64Array(to - from);
    await addPiece(sums, base.read, from, factors[0]!);
    for (const [i, term] of terms.entries()) await term.add(sums, from, factors[i + 1]!);
    yield sums;
  }
}

async function* withMergedChanges(
  base: BaseTensor,
  terms: readonly ParameterTerm[],
  options: MergeOptions,
): AsyncGenerator<Float64Array> {
  const size = elementCount(base.shape);
  const changes = terms.map(
    (term): WeightedChange => ({
      weight: term.weight,
      size,
      pieces: () => changePieces(base, term),
    }),
  );
  let from = 0;
  for await (const sums of mergeChanges(changes, { ...options, seed: seedOf(base.name, options.seed) })) {
    await addPiece(sums, base.read, from, 1);
    from += sums.length;
    yield sums;
  }
}

async function* changePieces(base: BaseTensor, term: ParameterTerm): AsyncGenerator<Float32Array> {
  for (const [from, to] of ranges(base.shape)) {
    const sums = new Float64Array(to - from);
    await term.add(sums, from, 1);
    if (term.kind === "model") await addPiece(sums, base.read, from, -1);
    yield Float32Array.from(sums);
  }
}

/** Each tensor draws from a stream of its own, so that what is kept of one does not depend on which others there are. */
export function seedOf(name: string, seed: number): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ seed) >>> 0;
}

async function sphereFactors(base: BaseTensor, terms: readonly ParameterTerm[]): Promise<readonly number[]> {
  const [term] = terms;
  if (term === undefined || terms.length > 1 || term.kind !== "model") {
    throw new UsageError("slerp goes between two models: add one model, and no LoRA, to the base.");
  }
  let [dot, square, otherSquare] = [0, 0, 0];
  for (const [from, to] of ranges(base.shape)) {
    const own = await base.read(from, to);
    const other = new Float64Array(to - from);
    await term.add(other, from, 1);
    for (let i = 0; i < other.length; i++) {
      dot += own[i]! * other[i]!;
      square += own[i]! * own[i]!;
      otherSquare += other[i]! * other[i]!;
    }
  }
  return slerpFactors(dot / Math.sqrt(square * otherSquare), term.weight);
}
