import { afterAll, describe, expect, it } from "vitest";
import { AdapterError } from "../errors.ts";
import { encode } from "../graph/encode.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { constant, type Value } from "../graph/value.ts";
import type { ParameterSource } from "../models/layers.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { float16ToFloat32, float32ToFloat16 } from "../tensor/float16.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { mergeAdapters, type WeightedAdapter } from "./combine.ts";
import type { LoraModule } from "./lora.ts";
import { changesOf, mergedSource } from "./merged-source.ts";

type Floats = Tensor<"float32">;

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const normal = (name: string, shape: readonly number[]): Floats =>
  float32(shape, counterNormal(3, name, 0, elementCount(shape)));

const layers = [
  { path: "attn1.to_q", shape: [24, 40] },
  { path: "proj_in", shape: [24, 16, 1, 1] },
  { path: "resnets.0.conv1", shape: [12, 16, 3, 3] },
  { path: "ff.net.2", shape: [8, 24] },
] as const;

const adapter = (name: string, rank: number, alpha: number): LoraModule[] =>
  layers.slice(0, 3).map(({ path, shape: [out, ...inner] }) => ({
    path,
    down: normal(`${name} ${path} down`, [rank, ...inner]),
    up: normal(`${name} ${path} up`, [out, rank, ...inner.slice(1).map(() => 1)]),
    alpha,
  }));

const several: readonly WeightedAdapter[] = [
  { lambda: 0.08, modules: adapter("style", 4, 2) },
  { lambda: -0.15, modules: adapter("lcm", 8, 8) },
  { lambda: (path) => (path === "proj_in" ? -0.3 : 0.02), modules: adapter("third", 3, 1) },
];

/** `W0 + sum_i lambda_i (alpha_i / r_i) B_i A_i`, element by element in float64. */
function byHand(weight: Floats, path: string, adapters: readonly WeightedAdapter[]): Float64Array {
  const sum = Float64Array.from(weight.data);
  const rows = weight.shape[0]!;
  const columns = sum.length / rows;
  for (const { lambda, modules } of adapters) {
    const weightOf = typeof lambda === "number" ? lambda : lambda(path);
    for (const { down, up, alpha } of modules.filter((module) => module.path === path)) {
      const rank = down.shape[0]!;
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          for (let r = 0; r < rank; r++)
            sum[i * columns + j]! +=
              weightOf * (alpha / rank) * Number(up.data[i * rank + r]) * Number(down.data[r * columns + j]);
    }
  }
  return sum;
}

const largestDifference = (actual: Float32Array, expected: Float64Array): number =>
  expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0);

const base = new Map(layers.map(({ path, shape }) => [`${path}.weight`, normal(path, shape)]));
const plainValue = (name: string): Value => constant(base.get(name)!);

/** The weights that a graph over the source computes. */
async function weightsOf(source: ParameterSource): Promise<Map<string, Floats>> {
  const values = layers.map(({ path, shape }) => [path, source(`${path}.weight`, shape)] as const);
  const session = await runtime.compile(encode(Object.fromEntries(values)));
  return new Map(Object.entries(await session.run({})) as [string, Floats][]);
}

const merged = (adapters: readonly WeightedAdapter[], of = plainValue): ParameterSource =>
  mergedSource(of, changesOf(adapters));

describe("mergedSource", () => {
  it("is the sum in float64 by hand, for linear layers and convolutions and weights of any sign", async () => {
    for (const adapters of [several.slice(0, 1), several.slice(1, 2), several]) {
      const weights = await weightsOf(merged(adapters));
      const inFloat64 = mergeAdapters(base, adapters);
      for (const { path } of layers) {
        const { data, shape } = weights.get(path)!;
        expect(shape).toEqual(base.get(`${path}.weight`)!.shape);
        const expected = byHand(base.get(`${path}.weight`)!, path, adapters);
        expect(largestDifference(data, expected), path).toBeLessThan(1e-6);
        expect(largestDifference(inFloat64.get(`${path}.weight`)!.data as Float32Array, expected)).toBeLessThan(1e-6);
      }
    }
  });

  it("widens a base of half precision first", async () => {
    const halves = new Map(
      Array.from(base, ([name, { data, shape }]) => [name, { shape, data: float32ToFloat16(data) }]),
    );
    const weights = await weightsOf(
      merged(several, (name) => cast(constant({ type: "float16", ...halves.get(name)! }), "float32")),
    );
    const { shape, data } = halves.get("resnets.0.conv1.weight")!;
    const expected = byHand(float32(shape, float16ToFloat32(data)), "resnets.0.conv1", several);
    expect(largestDifference(weights.get("resnets.0.conv1")!.data, expected)).toBeLessThan(1e-6);
  });

  it("gives the base's own values where nothing is changed, and never writes to it", async () => {
    const before = Array.from(base.values(), ({ data }) => data.slice());
    await weightsOf(merged(several));
    expect(Array.from(base.values(), ({ data }) => data)).toEqual(before);
    const undone = await weightsOf(merged(several.map((one) => ({ ...one, lambda: 0 }))));
    for (const { path } of layers) expect(undone.get(path)!.data).toEqual(base.get(`${path}.weight`)!.data);
    const value = plainValue("ff.net.2.weight");
    expect(merged(several, () => value)("ff.net.2.weight", [8, 24])).toBe(value);
  });

  it("refuses a change of another shape", () => {
    const source = merged(several, () => constant(normal("other", [24, 41])));
    expect(() => source("attn1.to_q.weight", [24, 41])).toThrow(AdapterError);
    expect(() => source("attn1.to_q.weight", [24, 41])).toThrow(
      "attn1.to_q: its weight is [24, 41] in the model, but the adapter changes one of [24, 40].",
    );
  });
});
