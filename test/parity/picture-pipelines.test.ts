import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import type { DrawnPicture } from "../../src/generate/drawing.ts";
import { imageToImage } from "../../src/generate/image-to-image.ts";
import { inpainting } from "../../src/generate/inpainting.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { samplerForStrength } from "../../src/generate/strength.ts";
import type { StrengthRule } from "../../src/generate/strength-rule.ts";
import { adaptedModel, openModel } from "../../src/node/open-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { SamplerName } from "../../src/samplers/registry.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { writeTinyModel } from "../tiny-model.ts";

/** A drawing of `scripts/fixtures/picture-pipelines.py`. */
interface Case {
  readonly kind: "lcm-image" | "image" | "paint";
  readonly model?: "model" | "guided" | "inpainting";
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly planned?: number;
  readonly strength: number;
  readonly guidance: number;
  readonly rule?: StrengthRule;
}

const bytes = readFileSync("test/fixtures/picture-pipelines/pictures.safetensors");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "pictures.safetensors");
const fixture = decodeSafetensors(bytes, "pictures.safetensors") as ReadonlyMap<string, Tensor<"float32">>;
const cases = JSON.parse(metadata.get("cases")!) as Record<string, Case>;
const prompt = metadata.get("prompt")!;
const [picture, mask] = [fixture.get("picture")!, fixture.get("mask")!];

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-pictures-"));
  await writeTinyModel(join(folder, "model"));
  await writeTinyModel(join(folder, "guided"), { unet: { time_cond_proj_dim: 10 } });
  await writeTinyModel(join(folder, "inpainting"), { unet: { in_channels: 9 } });
});

afterAll(() => rm(folder, { recursive: true }));

async function draw(wanted: Case, batch: { readonly seed: number; readonly count: number }): Promise<DrawnPicture[]> {
  const runtime = onnxRuntime({ threads: 1 });
  const opened = await openModel(join(folder, wanted.model ?? "model"));
  try {
    const model = await adaptedModel(opened, []);
    const networks = createNetworks(runtime, model);
    const { guidance: guidanceScale, sampler, steps, strength, rule = "keep" } = wanted;
    const request = {
      conditioning: await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale }),
      sampler: samplerForStrength(sampler, { config: model.scheduler, steps, strength }, rule),
      picture,
      ...batch,
      batch: batch.count,
    };
    const events =
      wanted.kind === "paint"
        ? inpainting(networks, model, { ...request, mask, maskBlur: 0, strength })
        : imageToImage(networks, model, request);
    const pictures: DrawnPicture[] = [];
    for await (const event of events) if (event.kind === "picture") pictures.push(event);
    return pictures;
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}

/** Largest difference, in shares of the largest value. */
function difference(a: Tensor, b: Tensor): number {
  expect(a.data.length).toBe(b.data.length);
  let largest = 0;
  let worst = 0;
  for (const [i, x] of (a.data as Float32Array).entries()) {
    const y = b.data[i] as number;
    largest = Math.max(largest, Math.abs(y));
    worst = Math.max(worst, Math.abs(x - y));
  }
  return worst / largest;
}

describe("pictures that diffusers' pipelines draw from a picture, from the same folder and seed", () => {
  it.each(Object.entries(cases))("%s", async (name, wanted) => {
    const [drawn] = await draw(wanted, { seed: 7, count: 1 });
    expect(difference(drawn!.latents, fixture.get(`${name}.latents`)!)).toBeLessThan(1e-4);
    const kept = wanted.rule === "cut" ? Math.floor(wanted.steps * wanted.strength) : wanted.steps;
    const twice = wanted.model !== "guided" && wanted.guidance > 1;
    expect(drawn!.networkCalls).toBe(kept * (twice ? 2 : 1));
  });

  it("do not depend on their batch", async () => {
    for (const name of ["image-lcm-keep", "paint-ddim-keep", "paint-seeing-lcm"]) {
      const together = await draw(cases[name]!, { seed: 6, count: 2 });
      expect(together.map(({ seed }) => seed)).toEqual([6, 7]);
      expect(difference(together[1]!.latents, fixture.get(`${name}.latents`)!)).toBeLessThan(1e-4);
      expect(difference(together[0]!.latents, together[1]!.latents)).toBeGreaterThan(0.01);
    }
  });

  it("keep what the mask keeps", async () => {
    for (const name of ["paint-lcm", "paint-seeing"]) {
      const [{ pixels } = { pixels: picture }] = await draw(cases[name]!, { seed: 7, count: 1 });
      const kept = [...pixels.data].filter((x, i) => mask.data[i % mask.data.length] === 0 && x === picture.data[i]);
      expect(kept.length).toBe(3 * mask.data.filter((x) => x === 0).length);
      expect(pixels.data).not.toEqual(picture.data);
    }
  });
});

describe("the autoencoder in tiles, against diffusers", () => {
  it("decodes and encodes alike", async () => {
    const runtime = onnxRuntime({ threads: 1 });
    const opened = await openModel(join(folder, "model"));
    const tiling = { tile: 8, overlap: 0.25, above: 0 };
    const networks = createNetworks(runtime, await adaptedModel(opened, []), { tiling });
    const decoded = await networks.decode(fixture.get("tiled.latents")!);
    expect(difference(decoded, fixture.get("tiled.decoded")!)).toBeLessThan(1e-4);
    const { mean, deviation } = await networks.encode(fixture.get("tiled.pictures")!);
    expect(difference(mean, fixture.get("tiled.mean")!)).toBeLessThan(1e-4);
    expect(difference(deviation, fixture.get("tiled.deviation")!)).toBeLessThan(1e-4);
    await runtime.dispose();
    await opened.folder.close();
  });
});
