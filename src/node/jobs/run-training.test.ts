import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawTinyPictures, tinyConfig, tinySize } from "../../../test/training/tiny.ts";
import { loadAdapter } from "../../adapters/load.ts";
import { lcmLoraTargets, targetModules } from "../../adapters/targets.ts";
import { openFileSource } from "../../formats/file-source.node.ts";
import type { JsonObject } from "../../formats/json.ts";
import { decodeSafetensors } from "../../formats/safetensors.ts";
import { unetTable } from "../../models/module-table.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { parseTrainingConfig, type TrainingKind } from "../../training/config/parse.ts";
import { latentStatistics } from "../../training/latent-statistics.ts";
import { decodeLog, type LogEntry } from "../../training/log.ts";
import { encodeTrainingPictures } from "./latents.ts";
import type { MemoryAutoencoder } from "./memory-model.ts";
import { openAutoencoder, openBase } from "./open-base.ts";
import { openTrainingPictures } from "./pictures.ts";
import { type RunOutcome, runTraining } from "./run-training.ts";

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-jobs-"));
  await drawTinyPictures(join(root, "pictures"));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Run {
  readonly outcome: RunOutcome;
  readonly notices: readonly string[];
  readonly log: readonly LogEntry[];
}

async function run(name: string, changes: JsonObject = {}, resume = false): Promise<Run> {
  const kind = name.split("-")[0] as TrainingKind;
  const config = parseTrainingConfig(kind, { ...tinyConfig(name, root), ...changes }, name);
  const notices: string[] = [];
  const outcome = await runTraining(kind, config, {
    resume,
    signal: new AbortController().signal,
    onNotice: (sentence) => void notices.push(sentence),
    onProgress: () => {},
    onStep: () => {},
  });
  return { outcome, notices, log: decodeLog(await readFile(join(config.output, "log.jsonl"), "utf8"), "log") };
}

/** The vectors of the newest checkpoint. */
async function savedState(name: string): Promise<Map<string, Tensor<"float32">>> {
  const file = (await readdir(join(root, name)))
    .filter((one) => /^state-.*\.safetensors$/.test(one))
    .sort()
    .at(-1)!;
  return decodeSafetensors(await readFile(join(root, name, file)), file) as Map<string, Tensor<"float32">>;
}

/** All numbers of the up parts of an adapter's file. */
async function readUps(path: string): Promise<number[]> {
  const tensors = decodeSafetensors(await readFile(path), path);
  const ups = [...tensors].filter(([key]) => key.endsWith(".lora_up.weight"));
  return ups.flatMap(([, tensor]) => [...toFloat32(tensor).data]);
}

/** Latents of the whole set as maps, as training takes them. */
async function latentsOf(autoencoder: MemoryAutoencoder): Promise<Tensor<"float32">> {
  const config = parseTrainingConfig("autoencoder", tinyConfig("autoencoder", root), "latents");
  const signal = new AbortController().signal;
  const context = { folder: join(root, "latents"), signal, onNotice: () => {}, onProgress: () => {} };
  const pictures = await openTrainingPictures(config, context);
  const latents = await encodeTrainingPictures({ pictures, autoencoder, size: tinySize, flip: false }, context);
  return latents.batch([...pictures.entries.keys()], []);
}

const finite = (values: Iterable<number>): boolean => [...values].every(Number.isFinite);

const oneWorker = { workers: 1, accumulate: 1 };
const sampleOnce = { every: 3, prompts: ["a red ball"], steps: 2 };

// Each kind builds on what the ones before wrote.
describe("every kind of training writes what loads again", { timeout: 600_000 }, () => {
  test("autoencoder", async () => {
    const sample = { every: 3, prompts: [] };
    const { outcome, notices, log } = await run("autoencoder", { steps: 6, sample, measureEvery: 3, flip: true });
    expect(outcome).toMatchObject({ step: 6, stopped: false, files: [join(root, "autoencoder/vae")] });
    expect(notices.join("\n")).toMatch(/12 pictures of .*\n(.*\n)*reconstructs 12 pictures with \d+\.\d\d dB/);
    expect(log.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(log.map(({ metrics }) => "psnr" in metrics)).toEqual([false, false, true, false, false, true]);
    const part = await openAutoencoder(join(root, "autoencoder"));
    expect(part.kind).toBe("kl");
    expect(part.config).toMatchObject({ scalingFactor: 1, latentChannels: 4, channels: [4, 8] });
    expect(part.json).toMatchObject({
      _class_name: "AutoencoderKL",
      down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    });
    const { mean, deviation } = latentStatistics(await latentsOf(part));
    for (const value of mean) expect(value).toBeCloseTo(0, 2);
    for (const value of deviation) expect(value).toBeCloseTo(1, 2);
    const sheet = await sharp(join(root, "autoencoder/samples/step-00000006.png")).metadata();
    expect([sheet.width, sheet.height]).toEqual([8 * tinySize, 2 * tinySize]);
    const report = await readFile(outcome.report, "utf8");
    expect(report).toContain("fourstep train autoencoder");
    expect(report.match(/data:image\/png/g)).toHaveLength(2);
  });

  test("base", async () => {
    const sample = { every: 3, prompts: ["a red ball", "blue box", "cross"], steps: 2 };
    const { outcome, log } = await run("base", { sample, measureEvery: 3, vocabularyData: [join(root, "pictures")] });
    expect(outcome.files).toEqual([join(root, "base/model")]);
    expect(Object.keys(log[2]!.metrics).sort()).toEqual(["fixedLoss", "otherCaptionLoss"]);
    const { model } = await openBase(join(root, "base/model"));
    expect(model.unet.config).toMatchObject({ inChannels: 4, sampleSize: 8, contextWidth: 16 });
    expect(model.textEncoder.config.vocabulary).toBe(model.tokenizer.size);
    expect(model.tokenizer.encode("a red ball")).toEqual(model.tokenizer.encode("A  red ball"));
    expect(model.scheduler).toMatchObject({ _class_name: "DDIMScheduler", steps_offset: 1, clip_sample: false });
    for (const tensor of model.unet.tensors.values()) expect(finite(tensor.data)).toBe(true);
    const sheet = await sharp(join(root, "base/samples/step-00000003.png")).metadata();
    expect([sheet.width, sheet.height]).toEqual([2 * tinySize, 2 * tinySize]);
    expect((await readdir(join(root, "base"))).sort()).toEqual([
      "config.json",
      "latents",
      "log.jsonl",
      "model",
      "report.html",
      "samples",
      "sources.json",
      "state-00000002.json",
      "state-00000002.safetensors",
      "state-00000003.json",
      "state-00000003.safetensors",
    ]);
  });

  test.each(["lora", "lcd", "lcf"])("%s as an adapter", async (name) => {
    const { outcome, log } = await run(name, { ...oneWorker, sample: sampleOnce, measureEvery: 3 });
    expect(log[2]!.metrics).toHaveProperty("fixedLoss");
    expect(outcome.files).toEqual([join(root, name, "adapter.safetensors")]);
    const { model } = await openBase(join(root, "base/model"));
    const { modules } = unetTable(model.unet.config);
    await using source = await openFileSource(outcome.files[0]!);
    const loaded = await loadAdapter(source, modules);
    expect(loaded).toMatchObject({ rank: 2, alpha: 2, dialect: "kohya", unmatched: [], leftOver: [] });
    expect(loaded.modules).toHaveLength(targetModules(modules, lcmLoraTargets).length);
    const average = (await savedState(name)).get("ema")!;
    let offset = 0;
    for (const { down, up } of loaded.modules) {
      // Kernels lie otherwise in the state, but the same numbers are in it.
      for (const { data } of [down, up].map(toFloat32)) {
        const saved = average.data.slice(offset, offset + data.length).sort();
        expect(Math.max(...data.toSorted().map((x, i) => Math.abs(x - saved[i]!)))).toBeLessThan(1e-3);
        offset += data.length;
      }
    }
    expect(offset).toBe(average.data.length);
    expect(loaded.modules.some(({ up }) => toFloat32(up).data.some((x) => x !== 0))).toBe(true);
    expect(await readdir(join(root, name, "samples"))).toEqual(["step-00000003.png"]);
  });

  test("lcf begins with the adapter that it is given, and as the base without one", async () => {
    const still = { ...oneWorker, steps: 1, rate: 1e-12 };
    const [given] = (await run("lcf", { ...still, output: join(root, "lcf-still") })).outcome.files;
    const [none] = (await run("lcf", { ...still, output: join(root, "lcf-none"), start: "none" })).outcome.files;
    const [start, begun, fresh] = await Promise.all(
      [join(root, "lcd/adapter.safetensors"), given!, none!].map(readUps),
    );
    expect(begun).toEqual(start);
    expect(fresh!.every((x) => x === 0)).toBe(true);
  });

  test.each(["lcd-full", "lcf-full"])("%s", async (name) => {
    const { outcome } = await run(name, { ...oneWorker, sample: { ...sampleOnce, guidanceScale: 5 } });
    const { model } = await openBase(outcome.files[0]!);
    expect(model.unet.config.guidanceWidth).toBe(8);
    expect(model.scheduler).toMatchObject({ _class_name: "LCMScheduler", original_inference_steps: 50 });
    const index = JSON.parse(await readFile(join(outcome.files[0]!, "model_index.json"), "utf8"));
    expect(index._class_name).toBe("LatentConsistencyModelPipeline");
    // What was trained moved away from the base; what was not did not.
    const { model: before } = await openBase(join(root, "base/model"));
    const first = "conv_in.weight";
    expect(model.unet.tensors.get(first)!.data).not.toEqual(before.unet.tensors.get(first)!.data);
    expect(model.textEncoder.tensors).toEqual(before.textEncoder.tensors);
  });
});
