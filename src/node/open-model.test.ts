import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OriginalName, originalPath, smallFamily } from "../../test/original-family.ts";
import { formula } from "../../test/parity/formula.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { constant } from "../graph/value.ts";
import type { ParameterSource } from "../models/layers.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { filled, int64 } from "../tensor/tensor.ts";
import { adaptedModel, type OpenedModel, openModel } from "./open-model.ts";

const tokenizer = "test/fixtures/tokenizer/tiny";
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-open-"));
});
afterAll(() => rm(folder, { recursive: true }));

const env = (): { readonly HF_HOME: string } => ({ HF_HOME: join(folder, "hub") });
const openSmall = async (name: OriginalName, file: string): Promise<OpenedModel> =>
  openModel(file, { families: [await smallFamily(name)], env: env() });

describe("a model in one file", () => {
  it("finds its tokenizer where it is told, beside it, or in the hub's cache", async () => {
    const file = join(folder, "sd1.safetensors");
    await cp(originalPath("sd1.safetensors"), file);
    await expect(openSmall("sd1", file)).rejects.toThrow(
      "sd1.safetensors: a model in one file holds no tokenizer; give a folder with CLIP's vocab.json and merges.txt by --tokenizer",
    );
    const families = [await smallFamily("sd1")];
    await expect(openModel(file, { families, tokenizer: folder, env: env() })).rejects.toThrow("has no tokenizer");
    const told = await openModel(file, { families, tokenizer, env: env() });
    await told.folder.close();

    const commit = "0123456789abcdef0123456789abcdef01234567";
    const repository = join(folder, "hub", "hub", "models--openai--clip-vit-large-patch14");
    await cp(tokenizer, join(repository, "snapshots", commit), { recursive: true });
    await mkdir(join(repository, "refs"));
    await writeFile(join(repository, "refs", "main"), commit);
    const cached = await openSmall("sd1", file);
    await cached.folder.close();

    await cp(tokenizer, join(folder, "tokenizer"), { recursive: true });
    const beside = await openSmall("sd1", file);
    await beside.folder.close();
    for (const { files } of [told, cached, beside]) {
      expect(files.tokenizer.encode("a red bird")).toEqual(told.files.tokenizer.encode("a red bird"));
    }
  });

  it("is told what a folder says itself", async () => {
    await expect(openModel("models/fourstep-64", { tokenizer })).rejects.toThrow("a folder says itself");
    await expect(openModel("models/fourstep-64", { prediction: "epsilon" })).rejects.toThrow("leave that out");
    const file = originalPath("sd2.safetensors");
    const families = [await smallFamily("sd2")];
    const told = async (prediction: "epsilon" | "v_prediction"): Promise<unknown> => {
      const opened = await openModel(file, { families, tokenizer, prediction, env: env() });
      await opened.folder.close();
      const { prediction_type: type } = opened.files.scheduler;
      return type;
    };
    expect([await told("epsilon"), await told("v_prediction")]).toEqual(["epsilon", "v_prediction"]);
  });

  it("pads as its family was taught", async () => {
    const file = join(folder, "sdxl.safetensors");
    await cp(originalPath("sdxl.safetensors"), file);
    const { files, folder: opened } = await openSmall("sdxl", file);
    await opened.close();
    expect(files.tokenizer.special.pad).toBe("<|endoftext|>");
    expect(files.second?.tokenizer.special.pad).toBe("!");
    expect(files.zerosForEmptyPrompt).toBe(true);
  });

  it("names the part that it lacks, unless another takes its place", async () => {
    const file = join(folder, "sd1-without-autoencoder.ckpt");
    await cp(originalPath("sd1-without-autoencoder.ckpt"), file);
    await expect(openSmall("sd1", file)).rejects.toThrow(
      /^sd1-without-autoencoder: the file lacks tensors of the autoencoder: "first_stage_model\..*" and \d+ others; a whole checkpoint of small sd1 is needed\.$/,
    );
    const families = [await smallFamily("sd1")];
    const opened = await openModel(file, { families, env: env(), replaced: ["vae"] });
    await opened.folder.close();
    expect(await readdir(folder)).toContain("sd1-without-autoencoder.ckpt");
  });

  /** The model with its weights in memory, by the formula that the file was made by. */
  const twinOf = (model: Model): Model => {
    const by = (part: string): ParameterSource => {
      return (name, shape) => constant(toFloat32(fromFloat32(formula(`${part}.${name}`, shape), "float16")));
    };
    const { unet, textEncoder, second } = model;
    return {
      ...model,
      unet: { ...unet, source: by("unet") },
      textEncoder: { ...textEncoder, source: by("text_encoder") },
      ...(second === undefined
        ? {}
        : { second: { ...second, textEncoder: { ...second.textEncoder, source: by("text_encoder_2") } } }),
    };
  };

  it.each([
    ["sd1", "sd1-without-autoencoder.ckpt"],
    ["sdxl", "sdxl.safetensors"],
  ] as const)("computes with its weights where they lie: %s", async (name, file) => {
    const families = [await smallFamily(name)];
    const opened = await openModel(originalPath(file), { families, tokenizer, env: env(), replaced: ["vae"] });
    const runtime = onnxRuntime();
    const compute = async (model: Model): Promise<unknown> => {
      const networks = createNetworks(runtime, model);
      const ids = int64([1, 7], [62, 1, 2, 3, 4, 5, 63]);
      const { states } = await networks.encodeText({ ids });
      const large = model.second === undefined ? undefined : await networks.encodeText({ ids, encoder: "second" });
      const latents = formula("latents", [1, 4, 8, 8]);
      const context = formula("context", [7, model.unet.config.contextWidth]);
      const pooled = large?.pooled;
      const request = { latents, timesteps: filled([1], 499), context, ...(pooled === undefined ? {} : { pooled }) };
      const output = await networks.predict(request);
      await networks.dispose();
      return { states, large, output };
    };
    try {
      const model = await adaptedModel(opened, []);
      const found = await compute(model);
      expect(found).toEqual(await compute(twinOf(model)));
    } finally {
      await runtime.dispose();
      await opened.folder.close();
    }
  });
});
