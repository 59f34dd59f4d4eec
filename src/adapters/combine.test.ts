import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../test/module-table.ts";
import { AdapterError, UsageError } from "../errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { combineAdapters, mergeAdapters } from "./combine.ts";
import { loadAdapter } from "./load.ts";
import { type LoraModule, loraDelta } from "./lora.ts";
import { addTaskVectors, applyTaskVector, loraTaskVector, type Weights } from "./task-vector.ts";

const folder = "test/fixtures/adapters";
const read = (name: string): Map<string, Tensor> => decodeSafetensors(readFileSync(`${folder}/${name}`), name);
const load = async (name: string): Promise<readonly LoraModule[]> => {
  const loaded = await loadAdapter(bytesSource(name, readFileSync(`${folder}/${name}`)), readModuleTable("tiny"));
  return loaded.modules;
};

function largestDifference(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
  let largest = 0;
  for (const [name, { shape, data }] of a) {
    const other = b.get(name)!;
    expect(other.shape).toEqual(shape);
    for (let i = 0; i < data.length; i++)
      largest = Math.max(largest, Math.abs(Number(data[i]) - Number(other.data[i])));
  }
  return largest;
}

describe("mergeAdapters, against PEFT", () => {
  it("gives PEFT's weights for 0.8 of one adapter and -1.5 of another", async () => {
    const base = read("base.safetensors");
    const adapters = [
      { lambda: 0.8, modules: await load("style.safetensors") },
      { lambda: -1.5, modules: await load("lcm.safetensors") },
    ];
    const merged = mergeAdapters(base, adapters);
    const expected = read("merged.safetensors");
    expect(largestDifference(base, expected)).toBeGreaterThan(0.1);
    expect(largestDifference(merged, expected)).toBeLessThan(1e-6);
    // The other two ways to the same weights.
    expect(
      largestDifference(mergeAdapters(base, [{ lambda: 1, modules: combineAdapters(adapters) }]), merged),
    ).toBeLessThan(1e-6);
    const [style, lcm] = adapters.map(({ modules }) => loraTaskVector(modules));
    const tau = addTaskVectors([
      [0.8, style!],
      [-1.5, lcm!],
    ]);
    expect(largestDifference(applyTaskVector(base as Weights, tau), merged)).toBeLessThan(1e-6);
  });
});

const module = (path: string, down: number[], up: number[], alpha = 1): LoraModule => ({
  path,
  down: float32([1, down.length], down),
  up: float32([up.length, 1], up),
  alpha,
});
const one = module("a", [1, 2], [3, 5]);
const two = module("a", [-1, 4], [2, 1], 0.5);
const base: ReadonlyMap<string, Tensor> = new Map([
  ["a.weight", float32([2, 2], [10, 20, 30, 40])],
  ["b.weight", float32([1], [7])],
]);

describe("mergeAdapters", () => {
  it("adds lambda times each delta, and shares what no adapter changes", () => {
    const merged = mergeAdapters(base, [
      { lambda: 2, modules: [one] },
      { lambda: -1, modules: [two] },
    ]);
    // one: [[3, 6], [5, 10]]; two: half of [[-2, 8], [-1, 4]].
    expect(merged.get("a.weight")).toEqual(float32([2, 2], [10 + 6 + 1, 20 + 12 - 4, 30 + 10 + 0.5, 40 + 20 - 2]));
    expect(merged.get("b.weight")).toBe(base.get("b.weight"));
    expect(base.get("a.weight")).toEqual(float32([2, 2], [10, 20, 30, 40]));
  });

  it("takes a lambda for each layer and leaves a zero out", () => {
    const lambda = (path: string): number => (path === "a" ? 0 : 1);
    expect(mergeAdapters(base, [{ lambda, modules: [one] }]).get("a.weight")).toBe(base.get("a.weight"));
  });

  it.each(["float16", "bfloat16", "float64"] as const)("keeps weights of type %s", (type) => {
    const half = new Map([["a.weight", fromFloat32(float32([2, 2], [10, 20, 30, 40]), type)]]);
    const merged = mergeAdapters(half, [{ lambda: 1, modules: [one] }]).get("a.weight")!;
    expect(merged.type).toBe(type);
    expect(toFloat32(merged)).toEqual(float32([2, 2], [13, 26, 35, 50]));
    expect(toFloat32(half.get("a.weight")!).data[0]).toBe(10);
  });

  it("rounds once: a million small changes in one adapter are not lost", () => {
    const rank = 1000;
    const small: LoraModule = {
      path: "a",
      down: float32([rank, 1], new Float32Array(rank).fill(2 ** -15)),
      up: float32([1, rank], new Float32Array(rank).fill(2 ** -15)),
      alpha: rank,
    };
    const weight = new Map<string, Tensor>([["a.weight", float32([1, 1], [1])]]);
    const merged = mergeAdapters(weight, [{ lambda: 1, modules: [small] }]).get("a.weight")!;
    expect(merged.data[0]).toBe(Math.fround(1 + rank * 2 ** -30));
    expect(merged.data[0]).toBeGreaterThan(1);
  });

  it("names the layer that does not fit", () => {
    const merge = (modules: LoraModule[], lambda = 1): unknown => mergeAdapters(base, [{ lambda, modules }]);
    expect(() => merge([module("c", [1], [1])])).toThrow(
      'c: the adapter changes this layer, but the base lacks "c.weight".',
    );
    expect(() => merge([module("a", [1], [1])])).toThrow(
      "a: its weight is [2, 2] in the base, but the adapter changes one of [1, 1].",
    );
    expect(() => merge([one], Number.NaN)).toThrow(UsageError);
    const whole = new Map<string, Tensor>([["a.weight", { type: "int32", shape: [2, 2], data: new Int32Array(4) }]]);
    expect(() => mergeAdapters(whole, [{ lambda: 1, modules: [one] }])).toThrow(AdapterError);
  });
});

describe("combineAdapters", () => {
  it("has no products of one adapter's up with the other's down", () => {
    const [combined, ...others] = combineAdapters([
      { lambda: 2, modules: [one] },
      { lambda: -1, modules: [two] },
    ]);
    expect(others).toEqual([]);
    expect(combined?.down.shape).toEqual([2, 2]);
    expect(loraDelta(combined!)).toEqual(float32([2, 2], [7, 8, 10.5, 18]));
  });

  it("keeps a convolution's window", () => {
    const conv: LoraModule = {
      path: "c",
      down: float32([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
      up: float32([1, 1, 1, 1], [2]),
      alpha: 1,
    };
    const [combined] = combineAdapters([
      { lambda: 1, modules: [conv] },
      { lambda: 0.5, modules: [conv] },
    ]);
    expect(combined?.up.shape).toEqual([1, 2, 1, 1]);
    expect(loraDelta(combined!)).toEqual(float32([1, 1, 3, 3], [3, 6, 9, 12, 15, 18, 21, 24, 27]));
  });

  it("refuses adapters of layers that are shaped otherwise", () => {
    const adapters = [
      { lambda: 1, modules: [one] },
      { lambda: 1, modules: [module("a", [1], [1])] },
    ];
    expect(() => combineAdapters(adapters)).toThrow("a: one adapter changes a weight of [2, 2], another of [1, 1].");
  });
});
