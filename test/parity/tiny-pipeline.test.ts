import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import type { DrawnPicture } from "../../src/generate/drawing.ts";
import { createNetworks, type Networks } from "../../src/generate/networks.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { tinyLora, writeTinyModel } from "../tiny-model.ts";

/** A drawing of `scripts/fixtures/tiny-pipeline.py`. */
interface Case {
  readonly model: "model" | "guided";
  readonly sampler: string;
  readonly steps: number;
  readonly guidance: number;
  readonly negative?: string;
  readonly lora?: number;
  readonly width?: number;
  readonly height?: number;
}

const bytes = readFileSync("test/fixtures/tiny-pipeline/pictures.safetensors");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "pictures.safetensors");
const expected = decodeSafetensors(bytes, "pictures.safetensors");
const cases = JSON.parse(metadata.get("cases")!) as Record<string, Case>;
const prompt = metadata.get("prompt")!;

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-pipeline-"));
  await writeTinyModel(join(folder, "model"));
  await writeTinyModel(join(folder, "guided"), { unet: { time_cond_proj_dim: 10 } });
  await writeFile(join(folder, "style.safetensors"), tinyLora("style"));
});

afterAll(() => rm(folder, { recursive: true }));

async function draw(wanted: Case): Promise<DrawnPicture> {
  const runtime = onnxRuntime({ threads: 1 });
  const opened = await openModel(join(folder, wanted.model));
  try {
    const choices = wanted.lora === undefined ? [] : [{ path: join(folder, "style.safetensors"), weight: wanted.lora }];
    const model = await adaptedModel(opened, await readLoras(opened.files, choices));
    const networks: Networks = createNetworks(runtime, model);
    const negativePrompt = wanted.negative ?? "";
    const conditioning = await encodePrompt(networks, model, {
      prompt,
      negativePrompt,
      guidanceScale: wanted.guidance,
    });
    const size = { ...naturalSize(model) };
    const request = {
      conditioning,
      sampler: createSampler(wanted.sampler, { config: model.scheduler, steps: wanted.steps, strength: 1 }),
      size: { width: wanted.width ?? size.width, height: wanted.height ?? size.height },
      seed: 7,
      count: 1,
    };
    for await (const event of textToImage(networks, model, request)) if (event.kind === "picture") return event;
    throw new Error("no picture was drawn");
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

describe("pictures of diffusers' pipelines, from the same folder and seed", () => {
  it.each(Object.entries(cases))("%s", async (name, wanted) => {
    const picture = await draw(wanted);
    expect(difference(picture.latents, expected.get(`${name}.latents`)!)).toBeLessThan(1e-4);
    expect(difference(picture.pixels, expected.get(`${name}.picture`)!)).toBeLessThan(1e-4);
    const twice = wanted.model === "model" && wanted.guidance > 1;
    expect(picture.networkCalls).toBe(wanted.steps * (twice ? 2 : 1));
  });

  it("differ between the cases", () => {
    expect(difference(expected.get("lcm.latents")!, expected.get("lcm-style.latents")!)).toBeGreaterThan(0.01);
    expect(difference(expected.get("lcm.latents")!, expected.get("full.latents")!)).toBeGreaterThan(0.01);
  });
});
