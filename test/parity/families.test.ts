import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encodePrompt, plainReading } from "../../src/generate/conditioning.ts";
import type { Model } from "../../src/generate/model.ts";
import { createNetworks, type UNetRequest } from "../../src/generate/networks.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { constant } from "../../src/graph/value.ts";
import { clipTextConfig } from "../../src/models/clip.ts";
import type { ParameterSource } from "../../src/models/layers.ts";
import { loadClipTokenizer } from "../../src/models/tokenizer/clip-tokenizer.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";
import { stack } from "../../src/tensor/arithmetic.ts";
import { float32, int64, type Tensor } from "../../src/tensor/tensor.ts";
import { formula } from "./formula.ts";

interface Case {
  readonly sampler: string;
  readonly steps: number;
  readonly guidance: number;
  readonly negative?: string;
  readonly width?: number;
  readonly height?: number;
  readonly clip_skip?: number;
}

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const text = (name: string): string => readFileSync(`test/fixtures/tokenizer/tiny/${name}`, "utf8");
const tokenizer = (padding: string) =>
  loadClipTokenizer({
    "vocab.json": text("vocab.json"),
    "merges.txt": text("merges.txt"),
    "tokenizer_config.json": JSON.stringify({ ...JSON.parse(text("tokenizer_config.json")), pad_token: padding }),
  });

/** Parameters by formula, named apart for each part. */
const source =
  (part: string): ParameterSource =>
  (name, shape) =>
    constant(formula(`${part}.${name}`, shape));

function open(family: string) {
  const bytes = readFileSync(`test/fixtures/families/${family}.safetensors`);
  const { metadata } = parseSafetensorsHeader(bytes, bytes.length, family);
  const json = (key: string) => JSON.parse(metadata.get(key)!) as Record<string, unknown>;
  const configs = json("configs");
  const textEncoder = (part: string) => ({ config: clipTextConfig(configs[part]), source: source(part) });
  const model: Model = {
    name: family,
    folder: undefined,
    unet: { config: unetConfig(configs["unet"]), source: source("unet") },
    autoencoder: { kind: "kl", config: autoencoderConfig(configs["vae"]), source: source("vae") },
    textEncoder: textEncoder("text_encoder"),
    tokenizer: tokenizer("<|endoftext|>"),
    ...("text_encoder_2" in configs
      ? { second: { textEncoder: textEncoder("text_encoder_2"), tokenizer: tokenizer("!") }, zerosForEmptyPrompt: true }
      : {}),
    scheduler: json("scheduler"),
  };
  const prompts = ["prompt", "negative"].map((key) => metadata.get(key)!) as [string, string];
  const cases = json("cases") as unknown as Readonly<Record<string, Case>>;
  return { model, prompts, cases, expected: decodeSafetensors(bytes, family) };
}

/** The largest error must be below a ten-thousandth of the largest value. */
function expectClose(name: string, actual: Tensor, expected: Tensor): void {
  const wanted = expected.data as Float32Array;
  expect(actual.data.length, name).toBe(wanted.length);
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const error = wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - Number(actual.data[i]))), 0);
  expect(error / largest, `largest error of ${name}, relative to its largest value`).toBeLessThan(1e-4);
}

const families = ["sd2", "sdxl", "ssd-1b", "lcm-sdxl", "inpainting"];

describe.each(families)("%s, against diffusers", (family) => {
  const { model, prompts, cases, expected } = open(family);

  it("encodes texts to the same states, at each layer, and the same pooled text", async () => {
    const networks = createNetworks(runtime, model);
    const parts = [
      { part: "text_encoder", encoder: "first", ...model },
      ...(model.second === undefined ? [] : [{ part: "text_encoder_2", encoder: "second", ...model.second } as const]),
    ] as const;
    for (const { part, encoder, tokenizer: words, textEncoder } of parts) {
      const rows = prompts.map((prompt) => words.encodePadded(prompt).ids);
      const ids = int64([2, rows[0]!.length], rows.flat());
      const { layers } = textEncoder.config;
      const normalised = model.second === undefined;
      const whole = await networks.encodeText({ ids, encoder });
      if (normalised) expectClose(`${part}.states.last`, whole.states, expected.get(`${part}.states.last`)!);
      else {
        for (let skippedLayers = 0; skippedLayers < layers - 1; skippedLayers++) {
          const name = `${part}.states.${layers - 1 - skippedLayers}`;
          const { states } = await networks.encodeText({ ids, encoder, skippedLayers });
          expectClose(name, states, expected.get(name)!);
        }
      }
      if (encoder === "second") expectClose("pooled text", whole.pooled!, expected.get(`${part}.pooled`)!);
    }
    await networks.dispose();
  });

  it("predicts the same", async () => {
    const networks = createNetworks(runtime, model);
    const { config } = model.unet;
    const request: UNetRequest = {
      latents: formula("latents", [2, config.inChannels, 8, 12]),
      timesteps: float32([2], [999, 259]),
      context: formula("context", [10, config.contextWidth]),
      ...(config.guidanceWidth === undefined ? {} : { guidance: formula("guidance", [2, config.guidanceWidth]) }),
      ...(config.addition === undefined
        ? {}
        : {
            pooled: formula("pooled", [2, 10]),
            sizes: float32([2, 6], [1024, 768, 0, 16, 1024, 1024, 512, 512, 5, 0, 512, 768]),
          }),
    };
    expectClose("the prediction", await networks.predict(request), expected.get("unet.sample")!);
    await networks.dispose();
  });

  it.each(Object.entries(cases))("draws the same from a prompt: %s", async (name, one) => {
    const networks = createNetworks(runtime, model);
    const conditioning = await encodePrompt(networks, model, {
      prompt: prompts[0],
      negativePrompt: one.negative ?? "",
      guidanceScale: one.guidance,
      reading: { ...plainReading, clipSkip: 1 + (one.clip_skip ?? 0) },
    });
    const sampler = createSampler(one.sampler, { config: model.scheduler, steps: one.steps, strength: 1 });
    const size = { width: one.width ?? 32, height: one.height ?? 32 };
    const request = { conditioning, sampler, size, seed: 7, count: 1 };
    for await (const event of textToImage(networks, model, request)) {
      if (event.kind !== "picture") continue;
      expectClose(name, event.latents, expected.get(`${name}.latents`)!);
      const guided = model.unet.config.guidanceWidth === undefined && one.guidance > 1;
      expect(event.networkCalls).toBe(one.steps * (guided ? 2 : 1));
    }
    expect.hasAssertions();
    await networks.dispose();
  });
});

describe("SDXL's U-Net", () => {
  const { model } = open("sdxl");

  it("takes the size that is drawn for the original's, unless it is told another", async () => {
    const networks = createNetworks(runtime, model);
    const request = {
      latents: formula("latents", [2, 4, 4, 8]),
      timesteps: float32([2], [999, 259]),
      context: formula("context", [10, 28]),
      pooled: formula("pooled", [2, 10]),
    };
    const row = float32([1, 6], [16, 32, 0, 0, 16, 32]);
    const told = await networks.predict({ ...request, sizes: stack([row, row]) });
    expect((await networks.predict(request)).data).toEqual(told.data);
    const other = float32([1, 6], [1024, 1024, 0, 0, 16, 32]);
    expect((await networks.predict({ ...request, sizes: stack([other, other]) })).data).not.toEqual(told.data);
    const { pooled: _, ...without } = request;
    await expect(networks.predict(without)).rejects.toThrow(/add_embedding expects the pooled text/);
    await networks.dispose();
  });
});
