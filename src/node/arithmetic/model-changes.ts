import { AdapterError } from "../../errors.ts";
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
    const [tuned, own] = [pieceReader(fineTuned.parameters.get(name)!), pieceReader(base.parameters.get(name)!)];
    for (const [from, to] of ranges(entry.shape)) {
      const [a, b] = [await tuned(from, to), await own(from, to)];
      if (a.every((x, i) => x === b[i])) continue;
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

async function difference(name: string, fineTuned: Checkpoint, base: Checkpoint): Promise<Float64Array> {
  const stored = base.parameters.get(name)!;
  const [tuned, own] = [pieceReader(fineTuned.parameters.get(name)!), pieceReader(stored)];
  const change = new Float64Array(elementCount(stored.entry.shape));
  for (const [from, to] of ranges(stored.entry.shape)) {
    const [a, b] = [await tuned(from, to), await own(from, to)];
    for (let i = 0; i < a.length; i++) change[from + i] = a[i]! - b[i]!;
  }
  return change;
}
