import { describe, expect, it } from "vitest";
import { encode } from "../graph/encode.ts";
import { input, type Value } from "../graph/value.ts";
import { type Layers, layers } from "../models/layers.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { loraDelta } from "./lora.ts";
import { loraDownName, loraRule, loraRuleDefaults, loraUpName } from "./lora-rule.ts";
import { lcmLoraTargets } from "./targets.ts";

function normal(name: string, shape: readonly number[]): Tensor<"float32"> {
  return float32(shape, counterNormal(1, name, 0, elementCount(shape)));
}

interface Layer {
  readonly path: string;
  readonly weight: readonly number[];
  readonly x: readonly number[];
  build(at: Layers, x: Value): Value;
}

const cases: readonly Layer[] = [
  { path: "attn1.to_q", weight: [7, 5], x: [6, 5], build: (at, x) => at.linear("attn1.to_q", x, 7, false) },
  { path: "ff.net.2", weight: [3, 5], x: [4, 5], build: (at, x) => at.linear("ff.net.2", x, 3) },
  { path: "proj_in", weight: [7, 5, 1, 1], x: [5, 2, 3, 4], build: (at, x) => at.conv("proj_in", x, 7) },
  {
    path: "resnets.0.conv1",
    weight: [7, 5, 3, 3],
    x: [5, 2, 4, 6],
    build: (at, x) => at.conv("resnets.0.conv1", x, 7, { kernel: 3, padding: 1 }),
  },
  {
    path: "downsamplers.0.conv",
    weight: [4, 4, 3, 3],
    x: [4, 2, 6, 8],
    build: (at, x) => at.conv("downsamplers.0.conv", x, 4, { kernel: 3, stride: 2, padding: 1 }),
  },
];

const [rank, alpha] = [3, 1.5];

/** Runs a layer over random numbers; `change` is added to its weight. */
async function run(layer: Layer, form: "branch" | "weight" | "plain", change?: Tensor<"float32">): Promise<Tensor> {
  const made = new Map<string, Value>();
  const source = (name: string, shape: readonly number[]): Value => {
    const value = made.get(name) ?? input(name, shape);
    made.set(name, value);
    return value;
  };
  const rule = form === "plain" ? undefined : loraRule(source, { rank, alpha, form });
  const out = layer.build(layers(source, rule), input("x", layer.x));
  const feeds = Object.fromEntries(Array.from(made, ([name, { shape }]) => [name, normal(name, shape)]));
  if (change !== undefined) {
    const weight = feeds[`${layer.path}.weight`]!;
    feeds[`${layer.path}.weight`] = float32(
      weight.shape,
      weight.data.map((w, i) => w + change.data[i]!),
    );
  }
  const runtime = onnxRuntime({ threads: 1 });
  const session = await runtime.compile(encode({ out }));
  const result = (await session.run({ ...feeds, x: normal("x", layer.x) }))["out"]!;
  await runtime.dispose();
  return result;
}

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...(expected.data as Float32Array).map(Math.abs));
  (expected.data as Float32Array).forEach((value, i) => {
    expect(Math.abs(Number(actual.data[i]) - value) / largest, `element ${i}`).toBeLessThan(1e-5);
  });
}

describe("loraRule", () => {
  it.each(cases)("is the merged layer in both forms: $path", async (layer) => {
    const { path, weight } = layer;
    const [out, ...inner] = weight as [number, ...number[]];
    const down = normal(loraDownName(path), [rank, ...inner]);
    const up = normal(loraUpName(path), inner.length === 1 ? [out, rank] : [out, rank, 1, 1]);
    const delta = loraDelta({ path, down, up, alpha });
    expect(delta.shape).toEqual(weight);
    const merged = await run(layer, "plain", delta);
    expectClose(await run(layer, "branch"), merged);
    expectClose(await run(layer, "weight"), merged);
    const plain = await run(layer, "plain");
    expect(Math.abs(Number(plain.data[0]) - Number(merged.data[0]))).toBeGreaterThan(1e-3);
  });

  it("leaves layers of other kinds alone", () => {
    const asked: string[] = [];
    const source = (name: string, shape: readonly number[]): Value => {
      asked.push(name);
      return input(name, shape);
    };
    for (const form of ["branch", "weight"] as const) {
      const at = layers(source, loraRule(source, { form }));
      at.conv("conv_in", input("x", [4, 1, 4, 4]), 8, { kernel: 3, padding: 1 });
      at.at("time_embedding").linear("linear_1", input("t", [1, 8]), 16);
    }
    expect(asked.filter((name) => name.includes("lora"))).toEqual([]);
    expect(asked).toHaveLength(8);
  });

  it("has the published rank, alpha and targets unless told", () => {
    expect(loraRuleDefaults).toEqual({ rank: 64, alpha: 64, targets: lcmLoraTargets, form: "branch" });
    const shapes: (readonly number[])[] = [];
    const source = (name: string, shape: readonly number[]): Value => {
      if (name.includes("lora")) shapes.push(shape);
      return input(name, shape);
    };
    const at = layers(source, loraRule(source));
    at.conv("resnets.0.conv2", input("x", [4, 1, 4, 4]), 8, { kernel: 3, padding: 1 });
    at.linear("attn2.to_k", input("y", [3, 12]), 8, false);
    expect(shapes).toEqual([
      [64, 4, 3, 3],
      [8, 64, 1, 1],
      [64, 12],
      [8, 64],
    ]);
  });
});
