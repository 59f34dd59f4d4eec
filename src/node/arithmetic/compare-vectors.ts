import { compareLayers, type LayerComparison, type LayerVector, squareOf } from "../../adapters/arithmetic/compare.ts";
import { targetKind } from "../../adapters/targets.ts";
import { AdapterError } from "../../errors.ts";
import { type Checkpoint, partNames } from "./checkpoint.ts";
import { type LoraOperand, requireLowRank } from "./lora-operand.ts";
import { layerChanges } from "./model-changes.ts";

/** A vector of a whole model: what changes each layer, made when its turn comes. */
export interface ModelVector {
  readonly name: string;
  /** By the layer's part, a slash, and its path. */
  readonly layers: ReadonlyMap<string, () => Promise<LayerVector>>;
}

/** How much two vectors have in common over some layers. */
export interface VectorComparison {
  /** Layers that both change; the cosine counts the others as well, as changes of zero. */
  readonly layers: number;
  /** Layers that only one of them changes. */
  readonly onlyA: number;
  readonly onlyB: number;
  /** Frobenius norms of the changes. */
  readonly normA: number;
  readonly normB: number;
  /** Of the changes as long vectors of numbers, from -1 to 1; null where one is zero. */
  readonly cosine: number | null;
  /** Means over the layers of how far leading directions coincide, from 0 to 1, and what chance would give. */
  readonly inputs: number | null;
  readonly outputs: number | null;
  readonly inputsByChance: number | null;
  readonly outputsByChance: number | null;
}

/** A comparison of two vectors by layers, blocks and kinds of layer. */
export interface ComparisonResult {
  readonly all: VectorComparison;
  readonly blocks: Readonly<Record<string, VectorComparison>>;
  readonly kinds: Readonly<Record<string, VectorComparison>>;
  /** Cosines by block and kind, for a heat map. */
  readonly cells: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  readonly layers: Readonly<Record<string, VectorComparison>>;
}

/** A LoRA as a vector. @throws AdapterError when it is more than low-rank products */
export function loraVector(lora: LoraOperand): ModelVector {
  requireLowRank(lora);
  const { name, parts } = lora;
  const layers = new Map<string, () => Promise<LayerVector>>();
  for (const [part, modules] of parts) {
    for (const module of modules) layers.set(`${part}/${module.path}`, async () => ({ kind: "lora", module }));
  }
  return { name, layers };
}

/** What a model differs from its base by, as a vector. @throws AdapterError when the two are of different kinds */
export function differenceVector(fineTuned: Checkpoint, base: Checkpoint): ModelVector {
  const layers = new Map<string, () => Promise<LayerVector>>();
  for (const { part, path, shape, read } of layerChanges(fineTuned, base)) {
    layers.set(`${part}/${path}`, async () => ({ kind: "full", shape, data: await read() }));
  }
  return { name: fineTuned.name, layers };
}

/** The comparison of one layer; where only one vector changes it, the other's square is zero. */
interface ComparedLayer extends LayerComparison {
  readonly name: string;
}

/** How two vectors are compared. */
export interface CompareOptions {
  /** Leading singular vectors of each layer that are compared, at most. */
  readonly directions: number;
  readonly signal?: AbortSignal;
  readonly onTensor?: (done: number, all: number) => void;
}

/**
 * Compares two vectors layer by layer, and sums up.
 * @throws AdapterError when they change no layer in common, or one in different shapes
 */
export async function compareVectors(
  a: ModelVector,
  b: ModelVector,
  { directions, signal, onTensor }: CompareOptions,
): Promise<ComparisonResult> {
  const order = new Map(partNames.map((part, i) => [part as string, i]));
  const place = (name: string): number => order.get(name.slice(0, name.indexOf("/"))) ?? 0;
  const names = [...new Set([...a.layers.keys(), ...b.layers.keys()])].sort((x, y) => place(x) - place(y));
  const compared: ComparedLayer[] = [];
  for (const [done, name] of names.entries()) {
    signal?.throwIfAborted();
    onTensor?.(done, names.length);
    const [x, y] = [await a.layers.get(name)?.(), await b.layers.get(name)?.()];
    if (x !== undefined && y !== undefined) compared.push({ name, ...compareLayers(name, x, y, directions) });
    else {
      const [squareA, squareB] = [x === undefined ? 0 : squareOf(x), y === undefined ? 0 : squareOf(y)];
      compared.push({ name, squareA, squareB, product: 0, overlap: undefined });
    }
  }
  if (!compared.some(({ squareA, squareB }) => squareA > 0 && squareB > 0)) {
    throw new AdapterError(`${a.name} and ${b.name} change no layer in common; there is nothing to compare.`);
  }
  const blocks = grouped(compared, ({ name }) => blockOf(name));
  const kinds = grouped(compared, ({ name }) => kindOf(name));
  return {
    all: summed(compared),
    blocks: mapped(blocks, summed),
    kinds: mapped(kinds, summed),
    cells: mapped(blocks, (layers) =>
      mapped(
        grouped(layers, ({ name }) => kindOf(name)),
        (one) => summed(one).cosine,
      ),
    ),
    layers: Object.fromEntries(compared.map((layer) => [layer.name, summed([layer])])),
  };
}

/** `down_blocks.0`, `mid_block`, ..., `text_encoder`: the first piece of a path with the number of the block. */
export function blockOf(name: string): string {
  const [part = "", path = ""] = name.split("/");
  if (part !== "unet") return part;
  const [first = "", second = ""] = path.split(".");
  return /^\d+$/.test(second) ? `${first}.${second}` : first;
}

/** The kind of layer, as targets of LoRAs are named, with its attention: `attn1.to_q`, `conv1`. */
export function kindOf(name: string): string {
  const attention = /\b(attn[12])\./.exec(name)?.[1];
  const kind = targetKind(name) ?? name.slice(name.lastIndexOf(".") + 1);
  return attention === undefined ? kind : `${attention}.${kind}`;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function mapped<T, U>(groups: ReadonlyMap<string, T>, make: (group: T) => U): Record<string, U> {
  return Object.fromEntries(Array.from(groups, ([key, group]) => [key, make(group)]));
}

function summed(layers: readonly ComparedLayer[]): VectorComparison {
  let [squareA, squareB, product, onlyA, onlyB] = [0, 0, 0, 0, 0];
  for (const layer of layers) {
    squareA += layer.squareA;
    squareB += layer.squareB;
    product += layer.product;
    if (layer.squareA > 0 && layer.squareB === 0) onlyA++;
    if (layer.squareB > 0 && layer.squareA === 0) onlyB++;
  }
  const overlaps = layers.flatMap(({ overlap }) => overlap ?? []);
  const mean = (value: (overlap: (typeof overlaps)[number]) => number): number | null =>
    overlaps.length === 0 ? null : overlaps.reduce((sum, one) => sum + value(one), 0) / overlaps.length;
  return {
    layers: overlaps.length,
    onlyA,
    onlyB,
    normA: Math.sqrt(squareA),
    normB: Math.sqrt(squareB),
    cosine: squareA > 0 && squareB > 0 ? product / Math.sqrt(squareA * squareB) : null,
    inputs: mean(({ inputs }) => inputs),
    outputs: mean(({ outputs }) => outputs),
    inputsByChance: mean(({ inputsByChance }) => inputsByChance),
    outputsByChance: mean(({ outputsByChance }) => outputsByChance),
  };
}
