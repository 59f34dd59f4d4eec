import { storedTypeName } from "../formats/safetensors-header.ts";
import type { LocatedTensor } from "../formats/tensor-file.ts";
import { isComputed } from "../models/checkpoint/names.ts";
import type { StoredWeights } from "../models/checkpoint/stored-weights.ts";
import type { ModelTable } from "../models/module-table.ts";
import { elementCount } from "../tensor/tensor.ts";

/** What one network of a model is. */
export interface PartDescription {
  readonly name: string;
  readonly class: string;
  readonly files: readonly string[];
  /** Element types of the weights, the commonest first, as safetensors calls them. */
  readonly types: readonly string[];
  readonly parameters: number;
  /** Tensors that the configuration asks for and the files lack. */
  readonly missing: readonly string[];
  /** Tensors that the configuration does not ask for. */
  readonly leftOver: readonly string[];
}

/** Compares the weights of a network with what its configuration asks for; no weight is read. */
export function describePart(
  name: string,
  className: string,
  weights: StoredWeights,
  table: ModelTable,
): PartDescription {
  const asked = new Set(table.parameters.map((parameter) => parameter.name));
  const stored = [...weights.tensors].filter(([tensor]) => !isComputed(tensor));
  return {
    name,
    class: className,
    files: weights.files.map((file) => file.replace(/^\.\//, "")),
    ...countTensors(stored.map(([, tensor]) => tensor)),
    missing: [...asked].filter((parameter) => !weights.tensors.has(parameter)),
    leftOver: stored.map(([tensor]) => tensor).filter((tensor) => !asked.has(tensor)),
  };
}

/** How many numbers tensors hold, and of which types, the commonest first. */
export function countTensors(tensors: Iterable<Pick<LocatedTensor, "entry">>): {
  readonly types: readonly string[];
  readonly parameters: number;
} {
  const types = new Map<string, number>();
  let parameters = 0;
  for (const { entry } of tensors) {
    const size = elementCount(entry.shape);
    parameters += size;
    const type = storedTypeName(entry.type);
    types.set(type, (types.get(type) ?? 0) + size);
  }
  return { types: [...types].sort(([, a], [, b]) => b - a).map(([type]) => type), parameters };
}
