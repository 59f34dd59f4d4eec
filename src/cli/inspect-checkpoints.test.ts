import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { originalPath } from "../../test/original-family.ts";
import { originalShapes, writeSparse } from "../../test/sparse-checkpoint.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { ssd1b } from "../models/checkpoint/families/ssd-1b.ts";
import { stableDiffusion1 } from "../models/checkpoint/families/stable-diffusion-1.ts";
import { stableDiffusionXl } from "../models/checkpoint/families/stable-diffusion-xl.ts";
import { inpaintingOf, lcmOf } from "../models/checkpoint/families/variants.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-checkpoints-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Shapes = Map<string, readonly number[]>;

async function inspect(shapes: ReadonlyMap<string, readonly number[]>): Promise<Record<string, unknown>> {
  const path = join(folder, "model.safetensors");
  await writeSparse(path, shapes);
  const { code, stdout, stderr } = await runFourstep(["inspect", "--json", path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The tensors of one part, without its prefix. */
function below(shapes: Shapes, prefix: string): Shapes {
  return new Map(
    [...shapes].filter(([key]) => key.startsWith(prefix)).map(([key, s]) => [key.slice(prefix.length), s]),
  );
}

describe("fourstep inspect, of single files at their true size", () => {
  const known = [...modelFamilies, lcmOf(stableDiffusion1), lcmOf(ssd1b), inpaintingOf(stableDiffusion1)];
  it.each(known.map((family) => [family.name, family] as const))("knows %s", async (name, family) => {
    const { parts, ...model } = await inspect(originalShapes(family));
    // Zeros spread nowhere: of Stable Diffusion 2, they are like the model that predicts noise.
    expect(model).toMatchObject({ kind: "model", family: name, layout: "original", prediction: "epsilon" });
    expect(model).toMatchObject({ pipeline: family.pipeline, leftOver: [], unneeded: 0 });
    const names = ["unet", "vae", "text_encoder", "text_encoder_2"].slice(0, 2 + family.textEncoders.length);
    expect(parts).toMatchObject(names.map((part) => ({ name: part, types: ["F16"], missing: [], leftOver: [] })));
  });

  it("says what is missing, not needed and left over", async () => {
    const shapes = originalShapes(stableDiffusion1);
    shapes.delete("first_stage_model.decoder.mid.attn_1.q.weight");
    shapes.set("model_ema.decay", []);
    shapes.set("cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]);
    shapes.set("lora.something", [2]);
    const model = await inspect(shapes);
    expect(model).toMatchObject({ leftOver: ["lora.something"], unneeded: 2 });
    expect((model["parts"] as unknown[])[1]).toMatchObject({
      missing: ["first_stage_model.decoder.mid.attn_1.q.weight"],
    });
    const { stdout } = await runFourstep(["inspect", join(folder, "model.safetensors")]);
    expect(stdout).toContain("family      Stable Diffusion 1.5\nlayout      one file in the original names\n");
    expect(stdout).toContain("  missing   1: first_stage_model.decoder.mid.attn_1.q.weight\n");
    expect(stdout).toContain("left over   1: lora.something\nnot needed  2 tensors: averages");
  });

  it("knows parts by themselves, in either's names", async () => {
    const shapes = originalShapes(stableDiffusionXl);
    const unet = await inspect(below(shapes, "model.diffusion_model."));
    const expectedUNet = { kind: "part", part: "unet", family: "Stable Diffusion XL", layout: "original", missing: [] };
    expect(unet).toMatchObject({ ...expectedUNet, parameters: 2_567_463_684, leftOver: [] });
    const vae = await inspect(below(shapes, "first_stage_model."));
    expect(vae).toMatchObject({ kind: "part", part: "vae", layout: "original", parameters: 83_653_863, missing: [] });
    const text = await inspect(below(shapes, "conditioner.embedders.1.model."));
    expect(text).toMatchObject({ part: "text_encoder", class: "CLIPTextModelWithProjection", parameters: 694_659_840 });
    const clip = await inspect(below(shapes, "conditioner.embedders.0.transformer."));
    expect(clip).toMatchObject({ part: "text_encoder", class: "CLIPTextModel", layout: "diffusers" });
  });

  it("refuses models that it does not know, by name", async () => {
    const refiner: Shapes = new Map();
    for (const [key, shape] of originalShapes(stableDiffusionXl)) {
      const sizes: Readonly<Record<number, number>> = { 320: 384, 640: 768, 1280: 1536, 2048: 1280 };
      refiner.set(key, key.startsWith("model.") ? shape.map((n) => sizes[n] ?? n) : shape);
    }
    await writeSparse(join(folder, "refiner.safetensors"), refiner);
    const cases: readonly (readonly [string, RegExp])[] = [
      [join(folder, "refiner.safetensors"), /: this is the refiner of Stable Diffusion XL, which is not supported\.$/],
      [originalPath("sd1.safetensors"), /: its U-Net, with levels of 4, 8, 8 channels .* belongs to no known family; /],
    ];
    for (const [path, sentence] of cases) {
      const { code, stdout, stderr } = await runFourstep(["inspect", "--json", path]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr.trim()).toMatch(sentence);
      expect(stderr.trim()).not.toContain("\n");
    }
  });
});

describe("fourstep inspect, of a part's folder", () => {
  it("reads its configuration", async () => {
    const model = join(folder, "tiny");
    await writeTinyModel(model);
    const part = async (name: string): Promise<unknown> =>
      JSON.parse((await runFourstep(["inspect", "--json", join(model, name)])).stdout);
    expect(await part("unet")).toMatchObject({ kind: "part", part: "unet", family: "custom", parameters: 51_684 });
    expect(await part("vae")).toMatchObject({ kind: "part", part: "vae", class: "AutoencoderKL", missing: [] });
    expect(await part("text_encoder")).toMatchObject({ part: "text_encoder", class: "CLIPTextModel", leftOver: [] });
  });
});
