import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdapterError, UsageError } from "../errors.ts";
import { encode } from "../graph/encode.ts";
import { constant, input } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Session } from "../runtime/runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { mergeAdapters, type WeightedAdapter } from "./combine.ts";
import type { LoraModule } from "./lora.ts";
import { adapterSlots } from "./slots.ts";
import type { ModuleShape } from "./targets.ts";

type Floats = Tensor<"float32">;

const normal = (name: string, shape: readonly number[]): Floats =>
  float32(shape, counterNormal(5, name, 0, elementCount(shape)));

const modules: readonly ModuleShape[] = [
  { path: "to_q", kind: "linear", weight: [7, 5] },
  { path: "conv1", kind: "conv", weight: [4, 3, 3, 3] },
  { path: "proj_in", kind: "conv", weight: [6, 3, 1, 1] },
];
const base = new Map(modules.map(({ path, weight }) => [`${path}.weight`, normal(path, weight)]));

const adapter = (name: string, rank: number, only: readonly string[] = ["to_q", "conv1", "proj_in"]): LoraModule[] =>
  modules
    .filter(({ path }) => only.includes(path))
    .map(({ path, weight: [out = 0, ...inner] }) => ({
      path,
      down: normal(`${name} ${path} down`, [rank, ...inner]),
      up: normal(`${name} ${path} up`, [out, rank, ...inner.slice(1).map(() => 1)]),
      alpha: rank / 2,
    }));

const runtime = onnxRuntime({ threads: 1 });
const slots = adapterSlots(modules, 8);
const feeds = { tokens: normal("tokens", [2, 5]), maps: normal("maps", [3, 1, 4, 4]) };
let slotted: Session;
let plain: Session;

beforeAll(async () => {
  const graph = (
    weights: (name: string, shape: readonly number[]) => ReturnType<typeof input>,
    rule?: typeof slots.rule,
  ) => {
    const at = layers(weights, rule);
    const maps = input("maps", feeds.maps.shape);
    return encode({
      linear: at.linear("to_q", input("tokens", feeds.tokens.shape), 7, false),
      conv: at.conv("conv1", maps, 4, { kernel: 3, padding: 1, bias: false }),
      pointwise: at.conv("proj_in", maps, 6, { bias: false }),
    });
  };
  slotted = await runtime.compile(graph((name) => constant(base.get(name)!), slots.rule));
  plain = await runtime.compile(graph((name, shape) => input(name, shape)));
});
afterAll(() => runtime.dispose());

/** The same numbers as of merged weights, to 1e-5 of the largest. */
async function expectMerged(adapters: readonly WeightedAdapter[]): Promise<void> {
  const actual = await slotted.run({ ...slots.inputs, ...feeds });
  const expected = await plain.run({ ...Object.fromEntries(mergeAdapters(base, adapters)), ...feeds });
  for (const name of ["linear", "conv", "pointwise"]) {
    const data = actual[name]!.data as Float32Array;
    const values = expected[name]!.data as Float32Array;
    expect(data.length).toBe(values.length);
    const largest = Math.max(...values.map(Math.abs));
    expect(Math.max(...values.map((value, i) => Math.abs(data[i]! - value))), name).toBeLessThan(1e-5 * largest);
  }
}

describe("adapterSlots", () => {
  it("exchanges adapters without compiling, and gives the base back exactly", async () => {
    const style = adapter("style", 2);
    const lcm = adapter("lcm", 5);
    expect(slots.fill([])).toBe(0);
    await expectMerged([]);
    const before = await slotted.run({ ...slots.inputs, ...feeds });
    for (const adapters of [
      [{ lambda: 0.8, modules: style }],
      [
        { lambda: 0.8, modules: style },
        { lambda: -1.5, modules: lcm },
      ],
      [{ lambda: 0.3, modules: adapter("third", 3, ["conv1"]) }],
    ]) {
      slots.fill(adapters);
      await expectMerged(adapters);
    }
    slots.fill([]);
    expect(await slotted.run({ ...slots.inputs, ...feeds })).toEqual(before);
  });

  it("writes only the layers whose adapters or weights differ", () => {
    const style = adapter("style", 2);
    const one = adapter("one", 2, ["conv1"]);
    slots.fill([]);
    expect(slots.fill([{ lambda: 1, modules: style }])).toBe(3);
    expect(slots.fill([{ lambda: 1, modules: style }])).toBe(0);
    const both = [
      { lambda: 1, modules: style },
      { lambda: 1, modules: one },
    ];
    expect(slots.fill(both)).toBe(1);
    expect(slots.fill([{ lambda: (path) => (path === "to_q" ? 0.5 : 1), modules: style }, both[1]!])).toBe(1);
    expect(slots.fill([])).toBe(3);
  });

  it("refuses what does not fit, and then writes nothing", async () => {
    const style = { lambda: 1, modules: adapter("style", 2) };
    slots.fill([style]);
    const large = { lambda: 1, modules: adapter("large", 7, ["proj_in"]) };
    const odd: LoraModule = { path: "to_q", down: normal("a", [1, 6]), up: normal("b", [7, 1]), alpha: 1 };
    expect(() => slots.fill([large, { lambda: 2, modules: style.modules }])).toThrow(
      "proj_in: the adapters have 9 ranks together, but there is room for 8; make the slots larger.",
    );
    expect(() => slots.fill([{ lambda: 1, modules: [odd] }])).toThrow(AdapterError);
    expect(() => slots.fill([{ lambda: 1, modules: [{ ...odd, path: "elsewhere" }] }])).toThrow("it has no slot");
    expect(() => slots.fill([{ lambda: Number.NaN, modules: style.modules }])).toThrow(UsageError);
    expect(() => adapterSlots(modules, 0)).toThrow(UsageError);
    await expectMerged([style]);
  });
});
