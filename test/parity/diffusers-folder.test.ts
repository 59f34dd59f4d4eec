import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encode } from "../../src/graph/encode.ts";
import { constant, input } from "../../src/graph/value.ts";
import { type DiffusersModel, readDiffusersModel } from "../../src/models/checkpoint/diffusers-folder.ts";
import { inPlaceParameters, loadWeights, memoryParameters } from "../../src/models/checkpoint/parameters.ts";
import { clipTextModel } from "../../src/models/clip.ts";
import { layers } from "../../src/models/layers.ts";
import { swapBatchAndChannels } from "../../src/models/maps.ts";
import { autoencoderTable, clipTextTable, unetTable } from "../../src/models/module-table.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { unet } from "../../src/models/unet/unet.ts";
import { openModelFolder } from "../../src/node/model-folder.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { elementCount, float32, type Tensor } from "../../src/tensor/tensor.ts";
import { readModuleTable } from "../module-table.ts";

const root = "test/fixtures/diffusers-folder";
const bytes = readFileSync(`${root}/expected.safetensors`);
const expected = decodeSafetensors(bytes, "expected");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "expected");

const loaders = {
  "in place": async (weights: DiffusersModel["unet"]["weights"]) => inPlaceParameters(weights),
  "in memory": async (weights: DiffusersModel["unet"]["weights"]) =>
    memoryParameters(await loadWeights(weights), "memory"),
} as const;

describe("a folder that diffusers wrote in float16", () => {
  it.each(Object.entries(loaders))("gives diffusers' text states and prediction with weights %s", async (_, load) => {
    await using folder = await openModelFolder(`${root}/model`);
    const model = await readDiffusersModel(folder);
    expect(model.pipeline).toBe("StableDiffusionPipeline");
    const { ids } = model.tokenizer.encodePadded(metadata.get("prompt")!);
    expect(ids.map(BigInt)).toEqual(Array.from(expected.get("ids")!.data as BigInt64Array));

    const text = await load(model.textEncoder.weights);
    const network = await load(model.unet.weights);
    const tokens = expected.get("ids")!;
    const { lastHiddenState: hidden } = clipTextModel(layers(text.source), model.textEncoder.config, constant(tokens));
    const prediction = unet(layers(network.source), model.unet.config, {
      latents: swapBatchAndChannels(input("latents", [1, 4, 4, 4])),
      timesteps: constant(float32([1], [499])),
      context: hidden,
    });
    expect(text.unused()).toEqual([]);
    expect(network.unused()).toEqual([]);

    const runtime = onnxRuntime({ threads: 1 });
    const graph = encode({ hidden, prediction: swapBatchAndChannels(prediction) });
    const session = await runtime.compile(graph, { folder: folder.path });
    const results = await session.run({ latents: expected.get("latents")! });
    await runtime.dispose();
    for (const name of ["hidden", "prediction"]) expect(largestError(results[name]!, name)).toBeLessThan(1e-5);
  });

  it("has just the tensors that the models' tables list", async () => {
    await using folder = await openModelFolder(`${root}/model`);
    const model = await readDiffusersModel(folder);
    const { autoencoder } = model;
    if (autoencoder.kind !== "kl") throw new Error("the fixture has an AutoencoderKL");
    const pairs = [
      [unetTable(model.unet.config), model.unet.weights],
      [autoencoderTable(autoencoder.config), autoencoder.weights],
      [clipTextTable(model.textEncoder.config), model.textEncoder.weights],
    ] as const;
    for (const [table, { tensors }] of pairs) {
      const listed = table.parameters.map(({ name, shape }) => `${name} ${shape}`).sort();
      expect(listed).toEqual(Array.from(tensors, ([name, { entry }]) => `${name} ${entry.shape}`).sort());
    }
  });
});

describe("the table of layers", () => {
  it("lists the layers of Stable Diffusion 1.5's U-Net as diffusers has them", () => {
    const table = unetTable(unetConfig({ cross_attention_dim: 768, attention_head_dim: 8 }));
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    expect([...table.modules].sort(byPath)).toEqual([...readModuleTable("sd15")].sort(byPath));
    expect(table.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(859_520_964);
  });
});

function largestError(actual: Tensor, name: string): number {
  const wanted = expected.get(name)!.data as Float32Array;
  return wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - Number(actual.data[i]))), 0);
}
