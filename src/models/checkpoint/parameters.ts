import { CheckpointError } from "../../errors.ts";
import { type StoredType, storedBytes, storedTypeName } from "../../formats/safetensors-header.ts";
import { readEntry, type TensorEntry } from "../../formats/tensor-entry.ts";
import { cast } from "../../graph/ops/elementwise.ts";
import { sameShape } from "../../graph/shapes.ts";
import { constant, fileConstant, type Value } from "../../graph/value.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { ParameterSource } from "../layers.ts";
import { isComputed } from "./names.ts";
import type { StoredTensor, StoredWeights } from "./stored-weights.ts";

/** A source of parameters that remembers what was asked for. */
export interface Parameters {
  /** @throws CheckpointError when there is no such parameter, or it has another shape */
  readonly source: ParameterSource;
  /** Names that no model has asked for yet, sorted: after a model was built, the tensors that do not belong to it. */
  unused(): readonly string[];
}

/** Element types that a graph can read where they lie and convert. */
const readableInPlace = ["float32", "float16", "bfloat16", "float64"] as const satisfies readonly StoredType[];

/** Element types that weights have. */
const weightTypes: ReadonlySet<StoredType> = new Set<StoredType>([
  "float64",
  "float32",
  "float16",
  "bfloat16",
  "float8_e4m3",
  "float8_e5m2",
]);

/**
 * Weights that stay in their files: the graph refers to them by file, offset and length, and the runtime reads them when it
 * compiles; other types become float32 there once, not at each run. A tensor of another type, or one that does not lie at a
 * multiple of its element's size, is read into memory instead.
 * @throws CheckpointError when a tensor is of a type that weights cannot have
 */
export async function inPlaceParameters(weights: StoredWeights): Promise<Parameters> {
  const strays = new Map<string, Tensor<"float32">>();
  for (const [name, stored] of weights.tensors) {
    if (!isComputed(name) && !liesReady(stored.entry)) strays.set(name, await readWeight(stored));
  }
  return tracked(weights.tensors, ({ file, entry }, name, shape) => {
    const stray = strays.get(name);
    if (stray !== undefined) return constant({ ...stray, shape });
    const slice = { file, offset: entry.begin, length: entry.end - entry.begin };
    const type = readableInPlace.find((one) => one === entry.type) ?? "float32";
    return cast(fileConstant(name, shape, type, slice), "float32");
  });
}

/**
 * Weights that are read into memory in the types that they are stored in, for runtimes that read no files; other types
 * become float32 when the graph is compiled.
 * @throws CheckpointError when a tensor is of a type that weights cannot have
 */
export async function residentParameters(weights: StoredWeights): Promise<Parameters> {
  const tensors = new Map<string, Tensor>();
  for (const [name, stored] of weights.tensors) {
    if (isComputed(name)) continue;
    tensors.set(
      name,
      isReadable(stored.entry) ? await readEntry(stored.source, stored.entry) : await readWeight(stored),
    );
  }
  return tracked(weights.tensors, (_, name, shape) => cast(constant({ ...tensors.get(name)!, shape }), "float32"));
}

/** Weights in memory, float32, by the names that models ask for; `place` is what errors call their origin. */
export function memoryParameters(tensors: ReadonlyMap<string, Tensor<"float32">>, place: string): Parameters {
  const named = new Map(
    Array.from(tensors, ([name, tensor]) => [name, { file: place, entry: { ...tensor, name }, tensor }]),
  );
  return tracked(named, ({ tensor }, _, shape) => constant({ ...tensor, shape }));
}

/**
 * All weights of a part in memory, in float32.
 * @throws CheckpointError when a tensor is of a type that weights cannot have
 */
export async function loadWeights(weights: StoredWeights): Promise<Map<string, Tensor<"float32">>> {
  const tensors = new Map<string, Tensor<"float32">>();
  for (const [name, stored] of weights.tensors) if (!isComputed(name)) tensors.set(name, await readWeight(stored));
  return tensors;
}

const isReadable = ({ type }: TensorEntry): boolean => readableInPlace.some((one) => one === type);

function liesReady(entry: TensorEntry): boolean {
  return entry.strides === undefined && isReadable(entry) && entry.begin % storedBytes(entry.type) === 0;
}

/**
 * One weight, read and in float32.
 * @throws CheckpointError when it is of a type that weights cannot have
 */
export async function readWeight({ file, source, entry }: StoredTensor): Promise<Tensor<"float32">> {
  if (!weightTypes.has(entry.type)) {
    const types = [...weightTypes].map(storedTypeName).join(", ");
    throw new CheckpointError(
      `${file}: "${entry.name}" is of type ${storedTypeName(entry.type)}; weights must be one of ${types}.`,
    );
  }
  return toFloat32(await readEntry(source, entry));
}

interface Named {
  readonly file: string;
  readonly entry: { readonly name: string; readonly shape: readonly number[] };
}

/** One value for each name, however often it is asked for. */
function tracked<T extends Named>(
  tensors: ReadonlyMap<string, T>,
  value: (stored: T, name: string, shape: readonly number[]) => Value,
): Parameters {
  const given = new Map<string, Value>();
  return {
    source: (name, shape) => {
      const known = given.get(name);
      if (known !== undefined && sameShape(known.shape, shape)) return known;
      const stored = tensors.get(name);
      if (stored === undefined) {
        const file = tensors.values().next().value?.file ?? "the weights";
        throw new CheckpointError(`${file}: the tensor "${name}" of shape [${shape.join(", ")}] is missing.`);
      }
      checkShape(stored, shape);
      const made = value(stored, name, shape);
      given.set(name, made);
      return made;
    },
    unused: () => [...tensors.keys()].filter((name) => !given.has(name) && !isComputed(name)).sort(),
  };
}

/** A matrix and a 1x1 convolution hold the same numbers in the same order, and files differ on which of them a layer is. */
function checkShape({ file, entry }: Named, wanted: readonly number[]): void {
  const core = (shape: readonly number[]): readonly number[] =>
    shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
  if (sameShape(core(entry.shape), core(wanted)) && elementCount(entry.shape) === elementCount(wanted)) return;
  throw new CheckpointError(
    `${file}: the tensor "${entry.name}" has the shape [${entry.shape.join(", ")}], but the configuration asks for [${wanted.join(", ")}].`,
  );
}
