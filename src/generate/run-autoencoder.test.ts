import { afterAll, describe, expect, it } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyConfigs } from "../../test/tiny-model.ts";
import { encode } from "../graph/encode.ts";
import type { Value } from "../graph/value.ts";
import { memoryParameters } from "../models/checkpoint/parameters.ts";
import { autoencoderTable } from "../models/module-table.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Session } from "../runtime/runtime.ts";
import { allFinite } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import type { Compile } from "./networks.ts";
import { type AutoencoderOptions, autoencoderDefaults, autoencoderRuns } from "./run-autoencoder.ts";
import { noTiling } from "./tiling.ts";

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** The tiny autoencoder; `loudness` multiplies what normalisation takes out again in the decoder's first layer. */
function autoencoder(loudness: number): Model["autoencoder"] {
  const config = autoencoderConfig(tinyConfigs.autoencoder);
  const tensors = autoencoderTable(config).parameters.map(({ name, shape }): [string, Tensor<"float32">] => {
    const tensor = formula(name, shape);
    const loud = name.startsWith("decoder.conv_in.");
    return [name, loud ? { ...tensor, data: tensor.data.map((x) => loudness * x) } : tensor];
  });
  return { kind: "kl", config, source: memoryParameters(new Map(tensors), "tiny").source };
}

const sentences: string[] = [];

function runs(loudness: number, changes: Partial<AutoencoderOptions>) {
  const model = { name: "tiny", autoencoder: autoencoder(loudness) } as Model;
  const compiled: string[] = [];
  const sessions = new Map<string, Promise<Session>>();
  const compile: Compile = (name, shapes, build: () => Record<string, Value>) => {
    const key = `${name} ${shapes[0]!.shape.join("x")}`;
    const known = sessions.get(key) ?? runtime.compile(encode(build()));
    if (!sessions.has(key)) compiled.push(key);
    sessions.set(key, known);
    return known;
  };
  const onFallback = (sentence: string): void => void sentences.push(sentence);
  return { compiled, ...autoencoderRuns(model, compile, { ...autoencoderDefaults, onFallback, ...changes }) };
}

function largestDifference(a: Tensor<"float32">, b: Tensor<"float32">): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - b.data[i]!)), 0);
}

describe("autoencoders in float16", () => {
  const latents = formula("latents", [1, 4, 4, 6]);

  it("give what float32 gives, but for rounding", async () => {
    const [exact, rounded] = [runs(1, {}), runs(1, { precision: "float16" })];
    const [a, b] = [await exact.decode(latents), await rounded.decode(latents)];
    const error = largestDifference(a, b);
    expect(error).toBeLessThan(0.02);
    expect(error).toBeGreaterThan(0);
    expect([exact.compiled, rounded.compiled]).toEqual([["decoder float32 1x4x4x6"], ["decoder float16 1x4x4x6"]]);
    const pictures = formula("pictures", [1, 3, 16, 16]);
    const [x, y] = [await exact.encode(pictures), await rounded.encode(pictures)];
    expect(largestDifference(x.mean, y.mean)).toBeLessThan(0.02);
    expect(sentences).toEqual([]);
  });

  it("are computed in float32 again where float16 overflows, and from then on", async () => {
    const [exact, rounded] = [runs(1e6, {}), runs(1e6, { precision: "float16" })];
    const expected = await exact.decode(latents);
    expect(allFinite(expected)).toBe(true);
    expect(largestDifference(await rounded.decode(latents), expected)).toBe(0);
    expect(largestDifference(await rounded.decode(latents), expected)).toBe(0);
    expect(rounded.compiled).toEqual(["decoder float16 1x4x4x6", "decoder float32 1x4x4x6"]);
    expect(sentences.splice(0)).toEqual([
      "the autoencoder of tiny is not finite in float16; it is computed in float32.",
    ]);
  });
});

describe("autoencoders in tiles", () => {
  it("are whole up to a size, and in tiles above it", async () => {
    const latents = formula("latents", [1, 4, 4, 6]);
    const whole = runs(1, { tiling: { tile: 4, overlap: 0.25, above: 24 } });
    const tiled = runs(1, { tiling: { tile: 4, overlap: 0.25, above: 23 } });
    const never = runs(1, { tiling: noTiling });
    const [a, b, c] = [await whole.decode(latents), await tiled.decode(latents), await never.decode(latents)];
    expect(largestDifference(a, c)).toBe(0);
    expect(a.shape).toEqual([1, 3, 16, 24]);
    expect(largestDifference(a, b)).toBeGreaterThan(0.001);
    expect(whole.compiled).toEqual(["decoder float32 1x4x4x6"]);
    // Rows from 0 and 3, columns from 0 and 3: each 4 long, or what is left.
    expect(tiled.compiled.map((key) => key.split(" ")[2])).toEqual(["1x4x4x4", "1x4x4x3", "1x4x1x4", "1x4x1x3"]);
    const pictures = formula("pictures", [1, 3, 16, 24]);
    await tiled.encode(pictures);
    expect(tiled.compiled.slice(4).map((key) => key.split(" ")[2])).toEqual([
      "1x3x16x16",
      "1x3x16x12",
      "1x3x4x16",
      "1x3x4x12",
    ]);
  });

  it("leave small pictures whole even where all are to go in tiles", async () => {
    const tiled = runs(1, { tiling: { tile: 8, overlap: 0.25, above: 0 } });
    await tiled.decode(formula("latents", [1, 4, 4, 6]));
    expect(tiled.compiled).toEqual(["decoder float32 1x4x4x6"]);
  });
});
