import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { decodeSafetensors } from "../../formats/safetensors.ts";
import { type MergeOptions, mergeArrays, mergeChanges, mergeDefaults } from "./merge-changes.ts";
import { slerpFactors } from "./slerp.ts";

const file = "test/fixtures/arithmetic/merges.safetensors";
const fixture = decodeSafetensors(readFileSync(file), file);
const values = (name: string): Float32Array => fixture.get(name)!.data as Float32Array;
const tasks = [0, 1, 2].map((i) => values(`task.${i}`));
const weights = [0.8, -0.5, 1.2];

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
}

const cases: readonly [name: string, options: Partial<MergeOptions>][] = [
  ["task_arithmetic", {}],
  ["magnitude_prune", { method: "magnitude-prune" }],
  ["ties.total", { method: "ties" }],
  ["ties.frequency", { method: "ties", election: "frequency" }],
  ["dare_linear", { method: "dare-linear" }],
  ["dare_ties.total", { method: "dare-ties" }],
  ["dare_ties.frequency", { method: "dare-ties", election: "frequency" }],
];

describe("merging changes", () => {
  it.each(cases)("agrees with PEFT's %s", async (name, options) => {
    const merged = await mergeArrays(tasks, weights, { ...mergeDefaults, density: 0.3, seed: 11, ...options });
    expect(largestDifference(merged, values(name))).toBeLessThan(2e-8);
  });

  it.each(cases)("gives the same in pieces as at once: %s", async (_, options) => {
    const all = { ...mergeDefaults, density: 0.3, seed: 11, ...options };
    const whole = await mergeArrays(tasks, weights, all);
    const inPieces = tasks.map((task, i) => ({
      weight: weights[i]!,
      size: task.length,
      pieces: async function* pieces() {
        for (let at = 0; at < task.length; at += 100) yield task.slice(at, at + 100);
      },
    }));
    const merged: number[] = [];
    for await (const piece of mergeChanges(inPieces, all)) merged.push(...piece);
    expect(merged).toEqual([...whole]);
  });

  it("keeps exactly the wanted number of equal magnitudes, the first ones", async () => {
    const options: MergeOptions = { ...mergeDefaults, method: "magnitude-prune", density: 0.5 };
    const merged = await mergeArrays([new Float32Array([1, -1, 2, 1, -1, 0])], [1], options);
    expect([...merged]).toEqual([1, -1, 2, 0, 0, 0]);
  });

  it("keeps nothing where the density leaves less than one element", async () => {
    const options: MergeOptions = { ...mergeDefaults, method: "magnitude-prune", density: 0.1 };
    expect([...(await mergeArrays([new Float32Array([1, 2])], [1], options))]).toEqual([0, 0]);
  });

  it("refuses densities that keep nothing or more than all", async () => {
    for (const density of [0, -0.5, 1.1, Number.NaN]) {
      await expect(mergeArrays(tasks, weights, { ...mergeDefaults, method: "ties", density })).rejects.toThrow(
        UsageError,
      );
    }
  });
});

describe("slerpFactors", () => {
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const mixed = (a: Float32Array, b: Float32Array, t: number): number[] => {
    const [first, second] = slerpFactors(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), t);
    return Array.from(a, (x, i) => first * x + second * b[i]!);
  };

  it.each([0, 0.25, 0.7])("agrees with the formula on torch's tensors at %s", (t) => {
    const name = t === 0 ? "slerp.0.0" : `slerp.${t}`;
    expect(largestDifference(mixed(tasks[0]!, tasks[1]!, t), fixture.get(name)!.data as Float64Array)).toBeLessThan(
      1e-8,
    );
  });

  it("mixes parallel tensors linearly", () => {
    const twice = tasks[0]!.map((x) => 2 * x);
    const wanted = fixture.get("slerp.parallel")!.data as Float64Array;
    expect(largestDifference(mixed(tasks[0]!, twice, 0.3), wanted)).toBeLessThan(1e-8);
  });
});
