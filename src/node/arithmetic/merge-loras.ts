import { distance, innerProduct } from "../../adapters/arithmetic/inner-product.ts";
import { distanceToChange, loraOfChange, reduceRank } from "../../adapters/arithmetic/low-rank-svd.ts";
import { mergeArrays } from "../../adapters/arithmetic/merge-changes.ts";
import { mergeFactors } from "../../adapters/arithmetic/merge-factors.ts";
import { slerpFactors } from "../../adapters/arithmetic/slerp.ts";
import { concatenateRanks, type WeightedModule } from "../../adapters/combine.ts";
import { type LoraModule, loraDelta, loraRank, loraWeightShape } from "../../adapters/lora.ts";
import type { SaveOptions } from "../../adapters/save.ts";
import { UsageError } from "../../errors.ts";
import { squaredNorm } from "../../tensor/linear-algebra/matrix.ts";
import { type PartName, partNames } from "./checkpoint.ts";
import { type LoraBase, type LoraOperand, requireLowRank } from "./lora-operand.ts";
import { checkInputs, type MergeResult, summary } from "./merge-model.ts";
import { type ModelMergeOptions, seedOf } from "./merge-tensor.ts";
import { checkLoraOutput, roundedModule, writeLora } from "./write-lora.ts";

/** A LoRA and how much it counts. */
export interface WeightedLora {
  readonly lora: LoraOperand;
  readonly weight: number;
}

/** What is made of LoRAs and where it goes. */
export interface LoraMerge extends ModelMergeOptions {
  /** Rank of each module: without it linear sums are exact, and others have the largest rank of what they are made of. */
  readonly rank?: number;
  /** Merges A's and B's apart, as PEFT does. */
  readonly factors?: boolean;
  readonly type: SaveOptions["type"];
  readonly output: string;
  readonly signal?: AbortSignal;
  readonly onTensor?: (done: number, all: number) => void;
}

/**
 * Writes the LoRA that several LoRAs make together. Their changes are merged, never their factors: a weighted sum sets the
 * ranks side by side and is exact; of other methods the best approximation of a rank is written.
 * @throws AdapterError when two change a layer in different shapes, UsageError when the output cannot be written
 */
export async function mergeLoras(
  loras: readonly WeightedLora[],
  base: LoraBase,
  merge: LoraMerge,
): Promise<MergeResult> {
  checkLoraOutput(merge.output);
  for (const { lora } of loras) requireLowRank(lora);
  await checkInputs(
    loras.map(({ lora }) => lora),
    merge.output,
  );
  if (merge.method === "slerp" && loras.length !== 2) {
    throw new UsageError(`slerp goes between two vectors, but ${loras.length} are given.`);
  }
  // A weight of zero is a place on the sphere, and nothing elsewhere.
  const counted = merge.method === "slerp" ? loras : loras.filter(({ weight }) => weight !== 0);
  const groups = partNames.flatMap((part) =>
    Array.from(modulesByPath(counted, part), ([path, group]) => ({ part, path, group })),
  );
  const parts = new Map<PartName, LoraModule[]>();
  const errors: { square: number; errorSquare: number }[] = [];
  for (const [done, { part, path, group }] of groups.entries()) {
    merge.signal?.throwIfAborted();
    merge.onTensor?.(done, groups.length);
    const { module, square, errorSquare } = await mergeModule(part, path, group, merge);
    errors.push({ square, errorSquare });
    const known = parts.get(part);
    if (known === undefined) parts.set(part, [module]);
    else known.push(module);
  }
  if (errors.length === 0) throw new UsageError("nothing is left: all weights are zero.");
  const madeOf = loras.map(({ lora, weight }) => `${lora.name}:${weight}`);
  await writeLora({ output: merge.output, parts, type: merge.type, base, madeOf });
  return summary(errors);
}

/** For each changed layer what changes it, in the model's order of the first LoRA that does. */
function modulesByPath(loras: readonly WeightedLora[], part: PartName): Map<string, (WeightedModule | undefined)[]> {
  const groups = new Map<string, (WeightedModule | undefined)[]>();
  for (const [index, { lora, weight }] of loras.entries()) {
    for (const module of lora.parts.get(part) ?? []) {
      const group = groups.get(module.path) ?? new Array<WeightedModule | undefined>(loras.length).fill(undefined);
      group[index] = { lambda: weight, module };
      groups.set(module.path, group);
    }
  }
  return groups;
}

interface MergedModule {
  /** In the type that it is written in. */
  readonly module: LoraModule;
  readonly square: number;
  readonly errorSquare: number;
}

async function mergeModule(
  part: PartName,
  path: string,
  group: readonly (WeightedModule | undefined)[],
  merge: LoraMerge,
): Promise<MergedModule> {
  const { method, rank } = merge;
  const present = group.filter((one) => one !== undefined);
  const seed = seedOf(`${part}/${path}.weight`, merge.seed);
  if (merge.factors === true && method !== "slerp") {
    const module = roundedModule(await mergeFactors(path, present, { ...merge, method, seed }), merge.type);
    return { module, square: innerProduct(module, module), errorSquare: 0 };
  }
  if (method === "linear" || method === "slerp") {
    const exact = concatenateRanks(path, method === "slerp" ? onSphere(group) : present);
    const wanted = rank === undefined || rank >= loraRank(exact) ? exact : reduceRank(exact, { rank }).module;
    const module = roundedModule(wanted, merge.type);
    return { module, square: innerProduct(exact, exact), errorSquare: distance(module, exact) ** 2 };
  }
  const shape = loraWeightShape(present[0]!.module);
  const changes = present.map(({ module }) => loraDelta(module).data);
  const weights = present.map(({ lambda }) => lambda);
  const change = await mergeArrays(changes, weights, { ...merge, method, seed });
  const wantedRank = rank ?? Math.max(...present.map(({ module }) => loraRank(module)));
  const found = loraOfChange(path, { type: "float64", shape, data: change }, { rank: wantedRank });
  const module = roundedModule(found.module, merge.type);
  return { module, square: squaredNorm(change), errorSquare: distanceToChange(module, change) ** 2 };
}

/** The two modules with what takes them to their place between each other; one that is missing is a change of zero. */
function onSphere([first, second]: readonly (WeightedModule | undefined)[]): WeightedModule[] {
  const t = second?.lambda ?? 0;
  if (first === undefined || second === undefined) {
    return [
      ...(first === undefined ? [] : [{ ...first, lambda: 1 - t }]),
      ...(second === undefined ? [] : [{ ...second, lambda: t }]),
    ];
  }
  const [a, b] = [first.module, second.module];
  const [from, to] = slerpFactors(innerProduct(a, b) / Math.sqrt(innerProduct(a, a) * innerProduct(b, b)), t);
  return [
    { module: a, lambda: from },
    { module: b, lambda: to },
  ];
}
