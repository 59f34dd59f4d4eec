import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openModelFolder, writeModelFolder } from "../../node/model-folder.ts";
import { float32 } from "../../tensor/tensor.ts";
import { type DiffusersModel, readDiffusersModel } from "./diffusers-folder.ts";
import { encodeDiffusersFolder, type ModelContents } from "./encode-folder.ts";
import { loadWeights } from "./parameters.ts";

const fixture = "test/fixtures/diffusers-folder/model";
const place = await mkdtemp(join(tmpdir(), "fourstep-"));
afterAll(() => rm(place, { recursive: true }));

async function contentsOf(model: DiffusersModel): Promise<ModelContents> {
  const { unet, autoencoder, textEncoder } = model;
  return {
    unet: { config: unet.json, tensors: await loadWeights(unet.weights) },
    autoencoder: {
      kind: autoencoder.kind,
      config: autoencoder.json,
      tensors: await loadWeights(autoencoder.weights),
    },
    textEncoder: { config: textEncoder.json, tensors: await loadWeights(textEncoder.weights) },
    tokenizer: model.tokenizerFiles,
    scheduler: model.scheduler,
    pipeline: "StableDiffusionPipeline",
  };
}

describe("a model's folder", () => {
  it("is read back as it was written, over an older one", async () => {
    await using original = await openModelFolder(fixture);
    const model = await readDiffusersModel(original);
    const contents = await contentsOf(model);
    const path = join(place, "copy");
    await writeModelFolder(path, encodeDiffusersFolder(contents, { type: "float32" }));
    await writeModelFolder(path, encodeDiffusersFolder(contents));
    expect(await readdir(place)).toEqual(["copy"]);

    await using written = await openModelFolder(path);
    const copy = await readDiffusersModel(written);
    expect(copy.unet.config).toEqual(model.unet.config);
    expect(copy.autoencoder.config).toEqual(model.autoencoder.config);
    expect(copy.textEncoder.config).toEqual(model.textEncoder.config);
    expect(copy.scheduler).toEqual(model.scheduler);
    expect(copy.tokenizer.encodePadded("a red bird")).toEqual(model.tokenizer.encodePadded("a red bird"));
    expect(await contentsOf(copy)).toEqual(contents);
    expect([...copy.unet.weights.tensors.values()].every(({ entry }) => entry.type === "float16")).toBe(true);

    // transformers refuses a whole number there.
    expect(readFileSync(join(path, "text_encoder/config.json"), "utf8")).toContain('"initializer_factor": 1.0,');
    const index: unknown = JSON.parse(readFileSync(join(path, "model_index.json"), "utf8"));
    expect(index).toEqual(JSON.parse(readFileSync(join(fixture, "model_index.json"), "utf8")));
  });

  it("is never written over something else", async () => {
    await writeFile(join(place, "letter.txt"), "dear");
    await expect(writeModelFolder(place, new Map())).rejects.toThrow("holds files that are no model");
    await rm(join(place, "letter.txt"));
  });

  it("refuses weights that float16 cannot hold and a scheduler without a class", async () => {
    await using folder = await openModelFolder(fixture);
    const contents = await contentsOf(await readDiffusersModel(folder));
    const large = { ...contents.unet, tensors: new Map([["w", float32([1], [1e6])]]) };
    expect(() => encodeDiffusersFolder({ ...contents, unet: large })).toThrow('unet: the weight "w" holds numbers');
    expect(() => encodeDiffusersFolder({ ...contents, scheduler: {} })).toThrow('no "_class_name"');
  });

  it("says which file is missing or which class is not understood", async () => {
    const path = join(place, "broken");
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const open = async (files: Record<string, unknown>): Promise<DiffusersModel> => {
      await writeModelFolder(path, new Map(Object.entries(files).map(([file, value]) => [file, text(value)])));
      await using folder = await openModelFolder(path);
      return readDiffusersModel(folder);
    };
    await expect(open({ "model_index.json": { _class_name: "FluxPipeline" } })).rejects.toThrow('"FluxPipeline"');
    await expect(open({ "model_index.json": { _class_name: "StableDiffusionPipeline" } })).rejects.toThrow(
      "broken: tokenizer/vocab.json is missing",
    );
    await expect(openModelFolder(join(place, "nowhere"))).rejects.toThrow("there is no such folder");
  });
});
