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

/** For each parameter what the terms hold of it. */
export type ParameterTerms = (name: string, shape: readonly number[]) => readonly ParameterTerm[];

/**
 * @returns what terms hold of the parameters of a base
 * @throws AdapterError (from what is returned) when a model lacks a parameter, or a shape differs
 */
export function parameterTerms(terms: readonly ModelTerm[], base: string): ParameterTerms {
  const readers = terms.map((term) => (term.kind === "model" ? modelTerm(term, base) : loraTerm(term)));
  return (name, shape) => readers.flatMap((read) => read(name, shape) ?? []);
}

type TermReader = (name: string, shape: readonly number[]) => ParameterTerm | undefined;

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
    return { weight, kind: "model", add: (sums, from, factor) => addPiece(sums, read, from, factor) };
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
  return (name, shape) => {
    const module = modules.get(name);
    if (module === undefined) return undefined;
    const own = loraWeightShape(module);
    if (!sameShape(withoutWindow(own), withoutWindow(shape))) {
      throw new AdapterError(
        `${lora.name}: it changes ${name} as [${own.join(", ")}], but the model has [${shape.join(", ")}].`,
      );
    }
    const product = lowRankProduct(module, 1);
    return {
      weight,
      kind: "change",
      add: async (sums, from, factor) => addProductRange(sums, { ...product, factor: factor * product.factor }, from),
    };
  };
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
