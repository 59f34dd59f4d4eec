import type { ParameterChange } from "../../adapters/change.ts";
import { type LoraModule, loraWeightShape, lowRankProduct } from "../../adapters/lora.ts";
import { addProductRow, columnBlock, type LowRankProduct } from "../../adapters/low-rank.ts";
import { AdapterError } from "../../errors.ts";
import { sameShape } from "../../tensor/arithmetic.ts";
import { elementCount } from "../../tensor/tensor.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { LoraOperand } from "./lora-operand.ts";
import { type PieceReader, pieceReader } from "./tensor-pieces.ts";

/** Something that is added to a model, or taken away: another model or a LoRA. */
export type ModelTerm =
  | { readonly kind: "model"; readonly weight: number; readonly model: Checkpoint }
  | { readonly kind: "lora"; readonly weight: number; readonly lora: LoraOperand };

/** What a term holds of one parameter. */
export interface ParameterTerm {
  readonly weight: number;
  /** Whether it is the parameter of another model, or a change. */
  readonly kind: "model" | "change";
  /** Adds `factor` times its numbers from `from` on to sums in float64. */
  add(sums: Float64Array, from: number, factor: number): Promise<void>;
}

/** For each parameter what the terms hold of it; `read` gives the base's own numbers. */
export type ParameterTerms = (name: string, shape: readonly number[], read: PieceReader) => readonly ParameterTerm[];

/**
 * @returns what terms hold of the parameters of a base
 * @throws AdapterError (from what is returned) when a model lacks a parameter, or a shape differs
 */
export function parameterTerms(terms: readonly ModelTerm[], base: string): ParameterTerms {
  const readers = terms.map((term) => (term.kind === "model" ? modelTerm(term, base) : loraTerm(term)));
  return (name, shape, read) => readers.flatMap((of) => of(name, shape, read));
}

type TermReader = (name: string, shape: readonly number[], read: PieceReader) => readonly ParameterTerm[];

function modelTerm({ weight, model }: Extract<ModelTerm, { kind: "model" }>, base: string): TermReader {
  return (name, shape) => {
    const stored = model.parameters.get(name);
    if (stored === undefined) {
      throw new AdapterError(
        `${model.name} lacks ${name}, which ${base} has; only models of one kind can be combined.`,
      );
    }
    if (elementCount(stored.entry.shape) !== elementCount(shape)) {
      throw new AdapterError(
        `${name} is [${shape.join(", ")}] in ${base} and [${stored.entry.shape.join(", ")}] in ${model.name}; only models of one kind can be combined.`,
      );
    }
    const read = pieceReader(stored);
    return [{ weight, kind: "model", add: (sums, from, factor) => addPiece(sums, read, from, factor) }];
  };
}

/** Adds `factor` times a tensor's numbers from `from` on. */
export async function addPiece(sums: Float64Array, read: PieceReader, from: number, factor: number): Promise<void> {
  const piece = await read(from, from + sums.length);
  for (let i = 0; i < sums.length; i++) sums[i]! += factor * piece[i]!;
}

function loraTerm({ weight, lora }: Extract<ModelTerm, { kind: "lora" }>): TermReader {
  const modules = new Map<string, LoraModule>(
    [...lora.parts].flatMap(([part, list]) => list.map((module) => [`${part}/${module.path}.weight`, module] as const)),
  );
  const changes = new Map<string, ParameterChange[]>();
  for (const [part, list] of lora.changes) {
    for (const change of list) {
      const name = `${part}/${change.path}.${change.parameter}`;
      const known = changes.get(name);
      if (known === undefined) changes.set(name, [change]);
      else known.push(change);
    }
  }
  return (name, shape, read) => {
    const module = modules.get(name);
    const terms: ParameterTerm[] = [];
    if (module !== undefined) {
      checkChange(lora.name, name, loraWeightShape(module), shape);
      const product = lowRankProduct(module, 1);
      const add: ParameterTerm["add"] = async (sums, from, factor) =>
        addProductRange(sums, { ...product, factor: factor * product.factor }, from);
      terms.push({ weight, kind: "change", add });
    }
    for (const change of changes.get(name) ?? []) {
      checkChange(lora.name, name, change.shape, shape);
      terms.push({ weight, kind: "change", add: wholeChange(change, elementCount(shape), read) });
    }
    return terms;
  };
}

/** A change that needs the whole parameter, such as a rotation: computed at the first piece, dropped after the last. */
function wholeChange({ delta }: ParameterChange, size: number, read: PieceReader): ParameterTerm["add"] {
  let whole: Float64Array | undefined;
  return async (sums, from, factor) => {
    whole ??= delta(Float32Array.from(await read(0, size)));
    for (let i = 0; i < sums.length; i++) sums[i]! += factor * whole[from + i]!;
    if (from + sums.length === size) whole = undefined;
  };
}

function checkChange(lora: string, name: string, own: readonly number[], shape: readonly number[]): void {
  if (sameShape(withoutWindow(own), withoutWindow(shape))) return;
  throw new AdapterError(
    `${lora}: it changes ${name} as [${own.join(", ")}], but the model has [${shape.join(", ")}].`,
  );
}

/** A 1x1 convolution's weight is a linear layer's. */
function withoutWindow(shape: readonly number[]): readonly number[] {
  return shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
}

/** Adds the elements of a product from the `from`-th on, in row-major order; they may begin and end within a row. */
function addProductRange(sums: Float64Array, product: LowRankProduct, from: number): void {
  const { columns } = product;
  for (let at = 0; at < sums.length; ) {
    const row = Math.floor((from + at) / columns);
    const column = from + at - row * columns;
    const length = Math.min(columns - column, sums.length - at, columnBlock);
    addProductRow(sums.subarray(at, at + length), product, row, column);
    at += length;
  }
}
