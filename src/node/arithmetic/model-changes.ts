import { AdapterError } from "../../errors.ts";
import { fromFloat32, toFloat32 } from "../../tensor/convert.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { type Checkpoint, type PartName, partNames } from "./checkpoint.ts";
import { pieceReader, ranges } from "./tensor-pieces.ts";

/** How a layer's weight of one model differs from that of another. */
export interface LayerChange {
  readonly part: PartName;
  /** Path of the layer. */
  readonly path: string;
  /** `[out, in]`, or `[out, in, height, width]` of a convolution. */
  readonly shape: readonly number[];
  /** The fine-tuned weight minus the base's, in float64; read when it is asked for. */
  read(): Promise<Float64Array>;
}

/**
 * The changes of all layers that a LoRA can change: linear layers and convolutions.
 * @throws AdapterError when the two models are of different kinds
 */
export function layerChanges(fineTuned: Checkpoint, base: Checkpoint): LayerChange[] {
  return partNames.flatMap((part) =>
    base.modules(part).flatMap(({ path, weight: shape }) => {
      const name = `${part}/${path}.weight`;
      // A part that neither file holds is no change.
      if (!base.parameters.has(name) && !fineTuned.parameters.has(name)) return [];
      checkParameter(name, elementCount(shape), fineTuned, base);
      return [{ part, path, shape, read: () => difference(name, fineTuned, base) }];
    }),
  );
}

/**
 * Names of other parameters that differ, which no LoRA holds: biases, norms, embeddings and the autoencoder.
 * @throws AdapterError when the two models are of different kinds
 */
export async function otherChanges(fineTuned: Checkpoint, base: Checkpoint): Promise<string[]> {
  const layers = new Set(partNames.flatMap((part) => base.modules(part).map(({ path }) => `${part}/${path}.weight`)));
  const changed: string[] = [];
  for (const [name, { entry }] of base.parameters) {
    if (layers.has(name) || !fineTuned.parameters.has(name)) continue;
    checkParameter(name, elementCount(entry.shape), fineTuned, base);
    const [other, stored] = [fineTuned.parameters.get(name)!, base.parameters.get(name)!];
    const [tuned, own] = [pieceReader(other), pieceReader(stored)];
    const isSame = sameBut(other.entry.type, stored.entry.type);
    for (const [from, to] of ranges(entry.shape)) {
      const [a, b] = [await tuned(from, to), await own(from, to)];
      if (isSame(a, b)) continue;
      changed.push(name);
      break;
    }
  }
  return changed;
}

function checkParameter(name: string, elements: number, ...models: readonly Checkpoint[]): void {
  for (const model of models) {
    const shape = model.parameters.get(name)?.entry.shape;
    if (shape !== undefined && elementCount(shape) === elements) continue;
    throw new AdapterError(
      shape === undefined
        ? `${model.name} lacks ${name}; both models must be of one kind.`
        : `${name} is [${shape.join(", ")}] in ${model.name}, not of ${elements} numbers as in the other; both models must be of one kind.`,
    );
  }
}

/** Zero throughout where the two differ by no more than the rounding to the type of one of them. */
async function difference(name: string, fineTuned: Checkpoint, base: Checkpoint): Promise<Float64Array> {
  const [other, stored] = [fineTuned.parameters.get(name)!, base.parameters.get(name)!];
  const [tuned, own] = [pieceReader(other), pieceReader(stored)];
  const isSame = sameBut(other.entry.type, stored.entry.type);
  const change = new Float64Array(elementCount(stored.entry.shape));
  let changed = false;
  for (const [from, to] of ranges(stored.entry.shape)) {
    const [a, b] = [await tuned(from, to), await own(from, to)];
    changed ||= !isSame(a, b);
    for (let i = 0; i < a.length; i++) change[from + i] = a[i]! - b[i]!;
  }
  return changed ? change : change.fill(0);
}

type Numbers = Float32Array | Float64Array;

/**
 * Whether two tensors hold the same numbers, or one of them those of the other rounded to its type, as the fp16 file of a
 * model and its base in fp32 do: a rounding is no change that was learned.
 */
function sameBut(a: string, b: string): (a: Numbers, b: Numbers) => boolean {
  const round = a === b ? undefined : [a, b].find((type) => type === "float16" || type === "bfloat16");
  const isEqual = (one: Numbers, other: Numbers): boolean => one.every((x, i) => x === other[i]);
  if (round === undefined) return isEqual;
  const rounded = (numbers: Numbers): Numbers => {
    const tensor = { type: "float32", shape: [numbers.length], data: Float32Array.from(numbers) } as const;
    return toFloat32(fromFloat32(tensor, round as "float16" | "bfloat16")).data;
  };
  return (one, other) => isEqual(rounded(one), rounded(other));
}
