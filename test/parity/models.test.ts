import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encode } from "../../src/graph/encode.ts";
import { add, mul, sub } from "../../src/graph/ops/arithmetic.ts";
import { meanOfAll } from "../../src/graph/ops/reduction.ts";
import { reshape } from "../../src/graph/ops/structure.ts";
import { constant, input, scalar, type Value } from "../../src/graph/value.ts";
import { clipTextConfig, clipTextModel } from "../../src/models/clip.ts";
import { type Layers, layers } from "../../src/models/layers.ts";
import { swapBatchAndChannels } from "../../src/models/maps.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { unet } from "../../src/models/unet/unet.ts";
import { decodeLatents, encodePictures } from "../../src/models/vae/autoencoder-kl.ts";
import { decodeLatentsTiny, encodePicturesTiny, tinyAutoencoderConfig } from "../../src/models/vae/autoencoder-tiny.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { elementCount, float32, int64, type Tensor } from "../../src/tensor/tensor.ts";
import { formula, uniform } from "./formula.ts";

/** What a network takes (by name, as Python has them) and gives. */
interface Built {
  readonly inputs: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
}

type Build = (at: Layers, config: unknown, batch: number) => Built;

const leaf = (name: string, ...shape: number[]): Value => input(name, shape);

const buildUnet: Build = (at, json, batch) => {
  const config = unetConfig(json);
  const latents = leaf("latents", batch, config.inChannels, 8, 12);
  const context = leaf("context", batch, 5, 12);
  const guidance = config.guidanceWidth === undefined ? undefined : leaf("guidance", batch, config.guidanceWidth);
  const sample = unet(at, config, {
    latents: swapBatchAndChannels(latents),
    timesteps: constant(float32([batch], [999, 259, 19].slice(0, batch))),
    context: reshape(context, [batch * 5, 12]),
    ...(guidance === undefined ? {} : { guidance }),
  });
  return {
    inputs: { latents, context, ...(guidance === undefined ? {} : { guidance }) },
    outputs: { sample: swapBatchAndChannels(sample) },
  };
};

const buildAutoencoder: Build = (at, json, batch) => {
  const config = autoencoderConfig(json);
  const inputs = { pictures: leaf("pictures", batch, 3, 16, 24), latents: leaf("latents", batch, 4, 4, 6) };
  const { mean, logVariance } = encodePictures(at, config, swapBatchAndChannels(inputs.pictures));
  const decoded = decodeLatents(at, config, swapBatchAndChannels(inputs.latents));
  const outputs = { mean, logvar: logVariance, decoded };
  return { inputs, outputs: mapValues(outputs, swapBatchAndChannels) };
};

const buildTiny: Build = (at, json, batch) => {
  const config = tinyAutoencoderConfig(json);
  const inputs = { pictures: leaf("pictures", batch, 3, 16, 24), latents: leaf("latents", batch, 4, 4, 6) };
  const outputs = {
    encoded: encodePicturesTiny(at, config, swapBatchAndChannels(inputs.pictures)),
    decoded: decodeLatentsTiny(at, config, swapBatchAndChannels(inputs.latents)),
  };
  return { inputs, outputs: mapValues(outputs, swapBatchAndChannels) };
};

const buildClip: Build = (at, json, batch) => {
  const config = clipTextConfig(json);
  const tokens = 7;
  const ids = Array.from(uniform("ids", batch * tokens), (u) => Math.floor(((u + 1) / 2) * config.vocabulary));
  const { hiddenStates, lastHiddenState } = clipTextModel(at, config, constant(int64([batch, tokens], ids)));
  const states: Record<string, Value> = { last: lastHiddenState };
  for (let i = 0; i < config.layers; i++) states[`hidden.${i}`] = hiddenStates[i]!;
  return { inputs: {}, outputs: mapValues(states, (x) => reshape(x, [batch, tokens, config.width])) };
};

const models: readonly (readonly [file: string, build: Build])[] = [
  ["unet-conv", buildUnet],
  ["unet-guided", buildUnet],
  ["unet-linear", buildUnet],
  ["autoencoder-kl", buildAutoencoder],
  ["autoencoder-tiny", buildTiny],
  ["clip-quick-gelu", buildClip],
  ["clip-gelu", buildClip],
];

describe.each(models)("%s", (file, build) => {
  const bytes = readFileSync(`test/fixtures/models/${file}.safetensors`);
  const config: unknown = JSON.parse(parseSafetensorsHeader(bytes, bytes.length, file).metadata.get("config")!);
  const fixtures = decodeSafetensors(bytes, file);

  it.each([1, 3])("agrees with torch on outputs and gradients for a batch of %i", async (batch) => {
    const expected = (name: string): Float32Array => fixtures.get(`b${batch}.${name}`)!.data as Float32Array;
    const parameters = new Map<string, Value>();
    const source = (name: string, shape: readonly number[]): Value => {
      const known = parameters.get(name) ?? input(name, shape);
      parameters.set(name, known);
      return known;
    };
    const { inputs, outputs } = build(layers(source), config, batch);
    const loss = Object.entries(outputs)
      .map(([name, y]) => {
        const difference = sub(y, constant(formula(`target ${name}`, y.shape)));
        return meanOfAll(mul(difference, difference));
      })
      .reduce(add, scalar(0));
    const leaves = new Map([...Object.entries(inputs), ...parameters]);
    const gradients = backward(loss, [...leaves.values()]);
    const results: Record<string, Value> = { loss };
    for (const [name, y] of Object.entries(outputs)) results[`out.${name}`] = y;
    [...leaves.keys()].forEach((name, i) => {
      results[`grad.${name}`] = gradients[i]!;
    });

    const runtime = onnxRuntime({ threads: 1 });
    const session = await runtime.compile(encode(results));
    const feeds = Object.fromEntries(Array.from(leaves, ([name, { shape }]) => [name, formula(name, shape)]));
    const computed = await session.run(feeds);
    await runtime.dispose();

    const { loss: computedLoss } = computed;
    expect(computedLoss!.data[0]).toBeCloseTo(expected("loss")[0]!, 4);
    for (const name of Object.keys(results)) {
      if (name.startsWith("out.")) expectClose(name, computed[name]!, expected(name), 1e-4);
      else if (fixtures.has(`b${batch}.${name}`)) expectClose(name, computed[name]!, expected(name), 1e-3);
    }
    for (const [name, { shape }] of parameters) {
      const probe = formula(`probe ${name}`, shape).data;
      const gradient = computed[`grad.${name}`]!.data as Float32Array;
      const [norm, product] = expected(`probe.${name}`) as unknown as [number, number];
      const scale = Math.max(norm, 1e-4);
      expect(Math.abs(Math.sqrt(dot(gradient, gradient)) - norm) / scale, `norm of ${name}`).toBeLessThan(1e-3);
      expect(Math.abs(dot(gradient, probe) - product) / scale, `probe of ${name}`).toBeLessThan(1e-3);
    }
    // Every parameter that torch has was asked for, and no other.
    const torchNames = [...fixtures.keys()].filter((key) => key.startsWith(`b${batch}.probe.`));
    expect([...parameters.keys()].sort()).toEqual(torchNames.map((key) => key.slice(`b${batch}.probe.`.length)).sort());
  });
});

/** The largest error must be below `tolerance` times the largest value. */
function expectClose(name: string, actual: Tensor, expected: Float32Array, tolerance: number): void {
  expect(actual.data.length, name).toBe(expected.length);
  expect(elementCount(actual.shape), name).toBe(expected.length);
  let largest = 0;
  let error = 0;
  expected.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    error = Math.max(error, Math.abs(value - Number(actual.data[i])));
  });
  expect(error / largest, `largest error of ${name}, relative to its largest value`).toBeLessThan(tolerance);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}

function mapValues(values: Readonly<Record<string, Value>>, change: (x: Value) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, x]) => [name, change(x)]));
}
