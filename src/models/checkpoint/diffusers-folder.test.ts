import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openOriginal, originalPath, smallFamily } from "../../../test/original-family.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { openModelFolder, writeModelFolder } from "../../node/model-folder.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type DiffusersModel, readDiffusersModel } from "./diffusers-folder.ts";
import { originalDefaults, readOriginalModel } from "./original/read-original.ts";
import { loadWeights } from "./parameters.ts";
import type { StoredWeights } from "./stored-weights.ts";

let place = "";
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "fourstep-folder-"));
});
afterAll(() => rm(place, { recursive: true }));

type Files = Map<string, Uint8Array>;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A small SDXL as a folder: its U-Net as the `fp16` variant, its second text encoder in two pieces with an index. */
async function sdxlFiles(): Promise<Files> {
  const family = await smallFamily("sdxl");
  const model = await readOriginalModel(await openOriginal("sdxl.safetensors"), { families: [family] });
  const files: Files = new Map();
  const json = (path: string, value: unknown): unknown => files.set(path, encode(JSON.stringify(value)));
  const weights = async (path: string, stored: StoredWeights): Promise<unknown> =>
    files.set(path, encodeSafetensors(await loadWeights(stored)));
  json("model_index.json", { _class_name: family.pipeline, force_zeros_for_empty_prompt: true });
  json("scheduler/scheduler_config.json", family.scheduler);
  json("unet/config.json", { ...family.unet, _class_name: "UNet2DConditionModel" });
  await weights("unet/diffusion_pytorch_model.fp16.safetensors", model.unet.weights);
  json("vae/config.json", { ...family.autoencoder, _class_name: "AutoencoderKL" });
  await weights("vae/diffusion_pytorch_model.safetensors", model.autoencoder.weights);
  json("text_encoder/config.json", family.textEncoders[0].config);
  await weights("text_encoder/model.safetensors", model.textEncoder.weights);
  json("text_encoder_2/config.json", family.textEncoders[1]!.config);
  const halves: [Record<string, Tensor>, Record<string, Tensor>] = [{}, {}];
  const second = await loadWeights(model.second!.textEncoder.weights);
  for (const [i, [name, tensor]] of [...second].entries()) halves[i % 2]![name] = tensor;
  const pieces = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
  for (const [i, piece] of pieces.entries()) files.set(`text_encoder_2/${piece}`, encodeSafetensors(halves[i]!));
  const map = halves.flatMap((half, i) => Object.keys(half).map((name) => [name, pieces[i]]));
  json("text_encoder_2/model.safetensors.index.json", { weight_map: Object.fromEntries(map) });
  for (const part of ["tokenizer", "tokenizer_2"]) {
    for (const name of ["vocab.json", "merges.txt"]) {
      files.set(`${part}/${name}`, await readFile(`test/fixtures/tokenizer/tiny/${name}`));
    }
  }
  json("tokenizer_2/tokenizer_config.json", { pad_token: "!" });
  return files;
}

async function open(files: Files): Promise<DiffusersModel> {
  const path = join(place, "model");
  await writeModelFolder(path, files);
  await using folder = await openModelFolder(path);
  return await readDiffusersModel(folder);
}

describe("a folder of SDXL", () => {
  it("has a second text encoder and tokenizer, whatever forms its weights have", async () => {
    const path = join(place, "whole");
    await writeModelFolder(path, await sdxlFiles());
    await using folder = await openModelFolder(path);
    const model = await readDiffusersModel(folder);
    const twin = await readOriginalModel(await openOriginal("sdxl.safetensors"), {
      ...originalDefaults,
      families: [await smallFamily("sdxl")],
    });
    expect(model.unet.config).toEqual(twin.unet.config);
    expect(model.second?.textEncoder.config).toEqual(twin.second?.textEncoder.config);
    expect(model.zerosForEmptyPrompt).toBe(true);
    expect([model.tokenizer.special.pad, model.second?.tokenizer.special.pad]).toEqual(["<|endoftext|>", "!"]);
    expect(await loadWeights(model.unet.weights)).toEqual(await loadWeights(twin.unet.weights));
    const second = model.second!.textEncoder.weights;
    expect(await loadWeights(second)).toEqual(await loadWeights(twin.second!.textEncoder.weights));
    expect(second.files).toEqual([
      "text_encoder_2/model-00001-of-00002.safetensors",
      "text_encoder_2/model-00002-of-00002.safetensors",
    ]);
  });

  it("says which part is missing", async () => {
    const files = await sdxlFiles();
    const without = (path: string): Files => new Map([...files].filter(([name]) => name !== path));
    const missing = (path: string): Promise<DiffusersModel> => open(without(path));
    await expect(missing("tokenizer_2/vocab.json")).rejects.toThrow("model: tokenizer_2/vocab.json is missing");
    await expect(missing("text_encoder_2/config.json")).rejects.toThrow("text_encoder_2/config.json is missing");
    await expect(missing("text_encoder_2/model-00002-of-00002.safetensors")).rejects.toThrow(
      "model.safetensors.index.json: its file model-00002-of-00002.safetensors is missing",
    );
    await expect(missing("unet/diffusion_pytorch_model.fp16.safetensors")).rejects.toThrow(
      "model/unet: there is no weight file",
    );
    files.set(
      "model_index.json",
      encode(JSON.stringify({ _class_name: "StableDiffusionXLPipeline", text_encoder: [null, null] })),
    );
    await expect(open(files)).rejects.toThrow("it is the refiner of Stable Diffusion XL");
  });

  it("may have pickles", async () => {
    const files = await sdxlFiles();
    files.delete("unet/diffusion_pytorch_model.fp16.safetensors");
    files.set("unet/diffusion_pytorch_model.bin", await readFile(originalPath("sd1-without-autoencoder.ckpt")));
    const { unet } = await open(files);
    expect(unet.weights.files).toEqual(["unet/diffusion_pytorch_model.bin"]);
    expect(unet.weights.tensors.get("model.diffusion_model.out.2.weight")?.entry.shape).toEqual([4, 4, 3, 3]);
  });
});
