import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { toPixels } from "../../src/generate/pixels.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler, type SamplerName } from "../../src/samplers/registry.ts";

interface Case {
  readonly name: string;
  readonly prompt: string;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly seed: number;
  readonly loras: Readonly<Record<string, number>>;
}

const fixtures = new URL("../fixtures/pipeline/", import.meta.url);
const { cases } = JSON.parse(await readFile(new URL("cases.json", fixtures), "utf8")) as { cases: readonly Case[] };

async function draw({ prompt, sampler, steps, guidanceScale, seed, loras }: Case): Promise<Uint8Array> {
  const folder = shippedModelFolder();
  const opened = await openModel(folder);
  const runtime = onnxRuntime();
  try {
    const choices = Object.entries(loras).map(([file, weight]) => ({
      path: `${folder}/lora/${file}.safetensors`,
      weight,
    }));
    const model = await adaptedModel(opened, await readLoras(opened.files, choices));
    const networks = createNetworks(runtime, model);
    const conditioning = await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale });
    const request = {
      conditioning,
      sampler: createSampler(sampler, { config: opened.files.scheduler, steps, strength: 1 }),
      size: naturalSize(model),
      seed,
      count: 1,
    };
    for await (const event of textToImage(networks, model, request)) {
      if (event.kind === "picture") return toPixels(event.pixels).data;
    }
    throw new Error("no picture was drawn");
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}

describe("the shipped model, against diffusers", () => {
  it("has cases with and without the acceleration vector", () => {
    expect(cases.map(({ name }) => name)).toEqual(expect.arrayContaining(["ddim", "lcm"]));
  });

  it.each(cases)("draws $name alike", async (one) => {
    const ours = await draw(one);
    const theirs = await sharp(fileURLToPath(new URL(`${one.name}.png`, fixtures)))
      .removeAlpha()
      .raw()
      .toBuffer();
    expect(ours.length).toBe(theirs.length);
    const largest = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
    expect(largest).toBeLessThanOrEqual(2);
  });
});
