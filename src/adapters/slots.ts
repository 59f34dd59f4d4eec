import { AdapterError, UsageError } from "../errors.ts";
import { sameShape } from "../graph/shapes.ts";
import { input, type Value } from "../graph/value.ts";
import type { ParameterSource, WeightRule } from "../models/layers.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { concatenateRanks, groupByPath, type WeightedAdapter, type WeightedModule } from "./combine.ts";
import { type LoraModule, loraRank, loraWeightShape } from "./lora.ts";
import { loraDownName, loraRule, loraUpName } from "./lora-rule.ts";
import type { ModuleShape } from "./targets.ts";

type Floats = Tensor<"float32">;

/**
 * Room for adapters in a compiled graph: low-rank branches whose factors are given at each run, so that adapters and their
 * weights change between two steps and nothing is compiled again. The base's weights stay constants.
 */
export interface AdapterSlots {
  /** Ranks that each layer has room for; those of several adapters add up. */
  readonly rank: number;
  /** Puts the branches into a graph. */
  readonly rule: WeightRule;
  /** What the branches are given at a run, by input name; filled in place. */
  readonly inputs: Readonly<Record<string, Floats>>;
  /**
   * Takes these adapters in place of those before; none gives the base. Only layers whose adapters or weights differ are
   * written. Nothing is, when it throws.
   * @returns how many layers were written
   * @throws AdapterError when there is no such layer, it has another shape, or the ranks take more room than there is;
   * UsageError when a weight is not finite
   */
  fill(adapters: readonly WeightedAdapter[]): number;
}

/**
 * Empty slots in layers of a model: room for `rank` ranks in each of `modules`.
 *
 * They cost memory for the factors and, at each run, the products with them, filled or not: give the layers that the adapters
 * at hand change.
 * @throws UsageError when the rank is no positive whole number
 */
export function adapterSlots(modules: readonly ModuleShape[], rank: number): AdapterSlots {
  if (!(Number.isInteger(rank) && rank > 0))
    throw new UsageError(`the room for adapters must be a positive whole number of ranks, but it is ${rank}.`);
  const slots = new Map(modules.map((module) => [module.path, createSlot(module, rank)]));
  const inputs: Record<string, Floats> = {};
  const values = new Map<string, Value>();
  for (const [path, { down, up }] of slots) {
    for (const [name, tensor] of [[loraDownName(path), down] as const, [loraUpName(path), up] as const]) {
      inputs[name] = tensor;
      values.set(name, input(name, tensor.shape));
    }
  }
  const source: ParameterSource = (name) => values.get(name)!;
  return {
    rank,
    rule: loraRule(source, { rank, alpha: rank, targets: [...slots.keys()], form: "branch" }),
    inputs,
    fill(adapters) {
      const groups = groupByPath(adapters);
      const changed: [Slot, readonly WeightedModule[], LoraModule | undefined][] = [];
      for (const path of groups.keys()) {
        if (!slots.has(path)) throw new AdapterError(`${path}: an adapter changes this layer, but it has no slot.`);
      }
      for (const [path, slot] of slots) {
        const parts = groups.get(path) ?? [];
        if (samePartsAs(slot.parts, parts)) continue;
        changed.push([
          slot,
          parts,
          parts.length === 0 ? undefined : fitting(slot, concatenateRanks(path, parts), rank),
        ]);
      }
      for (const [slot, parts, module] of changed) write(slot, parts, module);
      return changed.length;
    },
  };
}

interface Slot {
  readonly weight: readonly number[];
  readonly down: Floats;
  readonly up: Floats;
  /** What it is filled with. */
  parts: readonly WeightedModule[];
}

function createSlot({ weight }: ModuleShape, rank: number): Slot {
  const [out = 0, ...inner] = weight;
  const zeros = (shape: readonly number[]): Floats => ({
    type: "float32",
    shape,
    data: new Float32Array(elementCount(shape)),
  });
  return {
    weight,
    down: zeros([rank, ...inner]),
    up: zeros([out, rank, ...inner.slice(1).map(() => 1)]),
    parts: [],
  };
}

function samePartsAs(before: readonly WeightedModule[], after: readonly WeightedModule[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ lambda, module }, i) => after[i]!.lambda === lambda && after[i]!.module === module)
  );
}

function fitting({ weight }: Slot, module: LoraModule, room: number): LoraModule {
  const shape = loraWeightShape(module);
  const pointwise = elementCount(shape) === elementCount(weight) && shape[0] === weight[0] && shape[1] === weight[1];
  if (!sameShape(shape, weight) && !pointwise) {
    throw new AdapterError(
      `${module.path}: its weight is [${weight.join(", ")}] in the model, but the adapter changes one of [${shape.join(", ")}].`,
    );
  }
  const rank = loraRank(module);
  if (rank > room) {
    throw new AdapterError(
      `${module.path}: the adapters have ${rank} ranks together, but there is room for ${room}; make the slots larger.`,
    );
  }
  return module;
}

/** Ranks that are not taken stay zero in both factors, so that they add nothing. */
function write(slot: Slot, parts: readonly WeightedModule[], module: LoraModule | undefined): void {
  const [room = 0] = slot.down.shape;
  const rank = module === undefined ? 0 : loraRank(module);
  slot.up.data.fill(0);
  if (module !== undefined) {
    const { data } = module.up as Floats;
    slot.down.data.set((module.down as Floats).data);
    const [out = 0] = slot.weight;
    for (let row = 0; row < out; row++) slot.up.data.set(data.subarray(row * rank, (row + 1) * rank), row * room);
  }
  slot.down.data.fill(0, rank * (slot.down.data.length / room));
  slot.parts = parts;
}
