import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import type { Model } from "../../src/generate/model.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import type { LearnedWord } from "../../src/generate/prompt/learned-words.ts";
import type { PromptSyntax } from "../../src/generate/prompt/syntax.ts";
import { memoryParameters } from "../../src/models/checkpoint/parameters.ts";
import { clipTextConfig } from "../../src/models/clip.ts";
import { clipTextTable } from "../../src/models/module-table.ts";
import { loadClipTokenizer } from "../../src/models/tokenizer/clip-tokenizer.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { formula } from "./formula.ts";

/** A prompt of `scripts/fixtures/prompts.py`. */
interface Case {
  readonly syntax: PromptSyntax | "learned";
  readonly prompt: string;
  readonly clipSkip: number;
}

const bytes = readFileSync("test/fixtures/prompts/prompts.safetensors");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "prompts.safetensors");
const expected = decodeSafetensors(bytes, "prompts.safetensors");
const cases = JSON.parse(metadata.get("cases")!) as Case[];

const config = clipTextConfig(JSON.parse(metadata.get("model")!));
const weights = new Map(clipTextTable(config).parameters.map(({ name, shape }) => [name, formula(name, shape)]));
const read = (name: string): string => readFileSync(`test/fixtures/tokenizer/tiny/${name}`, "utf8");
const none = memoryParameters(new Map(), "nothing").source;
const model: Model = {
  name: "tiny",
  folder: undefined,
  unet: {
    config: unetConfig({ block_out_channels: [8], down_block_types: ["DownBlock2D"], up_block_types: ["UpBlock2D"] }),
    source: none,
  },
  autoencoder: { kind: "kl", config: autoencoderConfig({ block_out_channels: [8] }), source: none },
  textEncoder: { config, source: memoryParameters(weights, "text_encoder").source },
  tokenizer: loadClipTokenizer({
    "vocab.json": read("vocab.json"),
    "merges.txt": read("merges.txt"),
    "special_tokens_map.json": read("special_tokens_map.json"),
    "tokenizer_config.json": read("tokenizer_config.json"),
  }),
  scheduler: {},
};

const rows = (name: string, count: number): Float32Array[] => {
  const { data } = formula(name, [count, config.width]);
  return Array.from({ length: count }, (_, i) => data.subarray(i * config.width, (i + 1) * config.width));
};
const learnedWords: LearnedWord[] = [
  { word: "<krk>", file: "krk.safetensors", vectors: [rows("krk", 1)] },
  { word: "<birb-style>", file: "birb-style.pt", vectors: [rows("birb", 2)] },
];

const runtime = onnxRuntime({ threads: 1 });
const networks = createNetworks(runtime, model);
afterAll(async () => {
  await networks.dispose();
  await runtime.dispose();
});

describe("encodePrompt", () => {
  it.each(cases.map((one, index) => [one.syntax, one.clipSkip, one.prompt, index] as const))(
    "agrees with the reference: %s, CLIP skip %i, %s",
    async (syntax, clipSkip, prompt, index) => {
      const learned = syntax === "learned";
      const reading = {
        syntax: learned ? "plain" : syntax,
        clipSkip,
        learnedWords: learned ? learnedWords : [],
      } as const;
      const wanted = { prompt, negativePrompt: "", guidanceScale: 1, reading };
      const { context } = (await encodePrompt(networks, model, wanted)).conditional;
      const reference = expected.get(String(index))!;
      expect(context.shape).toEqual(reference.shape);
      const difference = Math.max(...context.data.map((x, i) => Math.abs(x - Number(reference.data[i]))));
      expect(difference).toBeLessThan(1e-4 * Math.max(1, ...context.data.map(Math.abs)));
    },
  );
});
