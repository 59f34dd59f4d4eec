import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { kohyaLoraOf } from "../../test/family-lora.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { knownFamilies } from "../generate/family.ts";
import { encodePng } from "../node/picture-files.ts";
import { float32 } from "../tensor/tensor.ts";

let folder = "";
let model = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-inspect-"));
  model = join(folder, "tiny");
  await writeTinyModel(model, { type: "float16" });
});
afterAll(() => rm(folder, { recursive: true }));

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function inspect(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runFourstep(["inspect", "--json", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("fourstep inspect", () => {
  it("describes a model's folder", async () => {
    const part = (name: string, className: string, file: string, parameters: number) => ({
      name,
      class: className,
      files: [`${name}/${file}`],
      types: ["F16"],
      parameters,
      missing: [],
      leftOver: [],
    });
    expect(await inspect(model)).toEqual({
      kind: "model",
      name: "tiny",
      family: "custom",
      layout: "diffusers",
      pipeline: "StableDiffusionPipeline",
      prediction: "epsilon",
      parts: [
        part("unet", "UNet2DConditionModel", "diffusion_pytorch_model.safetensors", 51_684),
        part("vae", "AutoencoderKL", "diffusion_pytorch_model.safetensors", 48_479),
        part("text_encoder", "CLIPTextModel", "model.safetensors", 9_712),
      ],
      parameters: 109_875,
      leftOver: [],
      unneeded: 0,
    });
    const { stdout } = await runFourstep(["inspect", model]);
    expect(stdout).toContain(
      "tiny: model (StableDiffusionPipeline)\nfamily      custom\nlayout      folder of diffusers\npredicts    noise (epsilon)\nparameters  109,875\nunet ",
    );
  });

  it("names tensors that a model lacks and such that are left over", async () => {
    const broken = join(folder, "broken");
    await writeTinyModel(broken);
    const path = join(broken, "vae", "diffusion_pytorch_model.safetensors");
    const tensors = decodeSafetensors(await readFile(path), "vae");
    tensors.delete("decoder.conv_in.bias");
    tensors.set("extra.weight", float32([2], [1, 2]));
    await writeFile(path, encodeSafetensors(tensors));
    const { parts } = await inspect(broken);
    expect((parts as unknown[])[1]).toMatchObject({ missing: ["decoder.conv_in.bias"], leftOver: ["extra.weight"] });
    const { stdout } = await runFourstep(["inspect", broken]);
    expect(stdout).toContain("missing   1: decoder.conv_in.bias\n  left over 1: extra.weight");
  });

  it("describes a LoRA of a named model", async () => {
    const tensors = decodeSafetensors(tinyLora("flat", 3), "flat");
    tensors.set("lora_unet_nowhere.lora_up.weight", float32([1], [0]));
    const path = await put("flat.safetensors", encodeSafetensors(tensors, { note: "hello" }));
    expect(await inspect(path, "--model", model)).toEqual({
      kind: "lora",
      name: "flat.safetensors",
      dialect: "kohya",
      kinds: ["LoRA"],
      family: "tiny",
      modules: 79,
      parts: { unet: 79 },
      parameters: 13_752,
      rank: 3,
      alpha: 6,
      words: [],
      zero: false,
      matched: 237,
      unmatched: ["lora_unet_nowhere.lora_up.weight"],
      leftOver: [],
      metadata: { note: "hello" },
    });
    const { stdout } = await runFourstep(["inspect", path, "--model", model]);
    expect(stdout).toBe(
      "flat.safetensors: LoRA for tiny\ndialect     kohya\nmodules     79: unet 79\nparameters  13,752\nrank        3, alpha 6\nunmatched   1: lora_unet_nowhere.lora_up.weight\n",
    );
  });

  it.each(knownFamilies().map((family) => [family.name, family] as const))(
    "knows a LoRA for %s",
    async (name, family) => {
      const path = await put("family.safetensors", kohyaLoraOf(family));
      expect(await inspect(path, "--model", model)).toMatchObject({
        kind: "lora",
        family: name,
        rank: 1,
        unmatched: [],
      });
    },
  );

  it("describes other tensors", async () => {
    const path = await put("other.safetensors", encodeSafetensors({ "a.weight": float32([2, 3], [1, 2, 3, 4, 5, 6]) }));
    expect(await inspect(path, "--model", model)).toEqual({
      kind: "tensors",
      name: "other.safetensors",
      format: "safetensors",
      tensors: 1,
      parameters: 6,
      types: ["F32"],
      metadata: {},
    });
  });

  it("reads the settings of a picture", async () => {
    const pixels = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
    const parameters = "a red apple\nNegative prompt: a leaf\nSteps: 4, Sampler: LCM, Seed: 7";
    const path = await put("apple.png", await encodePng(pixels, { parameters }));
    expect(await inspect(path)).toEqual({
      kind: "picture",
      name: "apple.png",
      prompt: "a red apple",
      negativePrompt: "a leaf",
      settings: { Steps: "4", Sampler: "LCM", Seed: "7" },
    });
    const { stdout } = await runFourstep(["inspect", path]);
    expect(stdout).toBe(
      "apple.png: PNG picture\nprompt      a red apple\nnegative    a leaf\nSteps       4\nSampler     LCM\nSeed        7\n",
    );
    const bare = await put("bare.png", await encodePng(pixels, {}));
    expect((await runFourstep(["inspect", bare])).stdout).toBe(
      "bare.png: PNG picture that does not say how it was made\n",
    );
  });

  it("says what is wrong in one sentence", async () => {
    const text = await put("notes.txt", new TextEncoder().encode("nothing of the kind"));
    const loha = await put("loha.safetensors", encodeSafetensors({ "lora_unet_x.hada_w1_a": float32([1], [0]) }));
    const cases: readonly (readonly [string, RegExp])[] = [
      [join(folder, "nowhere"), /nowhere: there is no such file or folder\.$/],
      [tmpdir(), /: model_index\.json is missing; a model folder of diffusers was expected\.$/],
      [text, /^notes\.txt: this is neither a safetensors file nor one that torch\.save wrote\.$/],
      [
        loha,
        /^loha\.safetensors: none of its keys, such as "lora_unet_x\.hada_w1_a", names a layer of a known model \(.*\) in a known dialect \(.*\); give the model that it was made for with --model\.$/,
      ],
    ];
    for (const [path, sentence] of cases) {
      const { code, stdout, stderr } = await runFourstep(["inspect", path, "--json"]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr.replace(/^fourstep: /, "").trimEnd()).toMatch(sentence);
      expect(stderr.trimEnd()).not.toContain("\n");
    }
  });
});
