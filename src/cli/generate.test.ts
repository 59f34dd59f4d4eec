import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CliResult, type CliWorld, runFourstep } from "../../test/cli-run.ts";
import { kohyaLoraOf } from "../../test/family-lora.ts";
import { tinyConfigs, tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { knownFamilies } from "../generate/family.ts";
import { samplerNames } from "../samplers/names.ts";
import { float32 } from "../tensor/tensor.ts";

let folder = "";
let model = "";
let guided = "";
let out = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-cli-"));
  model = join(folder, "tiny");
  guided = join(folder, "guided");
  await writeTinyModel(model, { type: "float16" });
  await mkdir(join(model, "lora"));
  await writeFile(join(model, "lora", "lcm-lora.safetensors"), tinyLora("lcm"));
  await writeFile(join(model, "lora", "style-flat.safetensors"), tinyLora("flat", 3));
  await writeTinyModel(guided, { unet: { time_cond_proj_dim: 10 } });
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  out = await mkdtemp(join(folder, "out-"));
});
afterEach(() => rm(out, { recursive: true, force: true }));

interface Json {
  readonly images: readonly { readonly path: string; readonly seed: number; readonly networkCalls: number }[];
  readonly [key: string]: unknown;
}

function generate(args: readonly string[], world?: CliWorld): Promise<CliResult> {
  const named = args.includes("--model") ? [] : ["--model", model];
  return runFourstep(["generate", "a red apple", ...named, "--out", out, ...args], world);
}

async function generateJson(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await generate(["--json", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.endsWith("}\n")).toBe(true);
  return JSON.parse(stdout) as Json;
}

const pixels = async ({ images }: Json): Promise<Buffer[]> => {
  return Promise.all(images.map(({ path }) => sharp(path).raw().toBuffer()));
};

describe("fourstep generate", () => {
  it("draws in four steps with the model's LCM-LoRA, and says so in one object", async () => {
    const result = await generateJson("--seed", "7");
    expect(result).toEqual({
      images: [{ path: join(out, "a-red-apple-7.png"), seed: 7, networkCalls: 4 }],
      model: "tiny",
      loras: [{ name: "lcm-lora", weight: 1 }],
      prompt: "a red apple",
      negativePrompt: "",
      sampler: "lcm",
      steps: 4,
      guidance: 1,
      width: 32,
      height: 32,
      networkCalls: 4,
      seconds: expect.any(Number),
      notes: [],
      warnings: [],
    });
    const text = (await readPngText(await readFile(result.images[0]!.path), "picture")).get("parameters")!;
    const { prompt, settings } = parseInfotext(text);
    expect(prompt).toBe("a red apple <lora:lcm-lora:1>");
    expect(Object.fromEntries(settings)).toMatchObject({
      Steps: "4",
      Sampler: "LCM",
      "CFG scale": "1",
      Seed: "7",
      Size: "32x32",
      Model: "tiny",
      "Lora hashes": expect.stringMatching(/^lcm-lora: [0-9a-f]{12}$/),
    });
  });

  it("draws the same picture for the same seed, alone or among others, and overwrites none", async () => {
    const together = await generateJson("--seed", "7", "--count", "2");
    const again = await generateJson("--seed", "7");
    const alone = await generateJson("--seed", "8");
    expect(together.images.map(({ seed }) => seed)).toEqual([7, 8]);
    expect(together["networkCalls"]).toBe(8);
    expect(basename(again.images[0]!.path)).toBe("a-red-apple-7-2.png");
    const [first, second] = await pixels(together);
    expect(first!.equals(second!)).toBe(false);
    expect((await pixels(again))[0]!.equals(first!)).toBe(true);
    expect((await pixels(alone))[0]!.equals(second!)).toBe(true);
    expect((await readdir(out)).sort()).toEqual([
      "a-red-apple-7-2.png",
      "a-red-apple-7.png",
      "a-red-apple-8-2.png",
      "a-red-apple-8.png",
    ]);
  });

  it("adds LoRAs with weights to the LCM-LoRA, which another sampler or --no-lcm leaves out", async () => {
    const plain = await generateJson("--seed", "7");
    const none = await generateJson("--seed", "7", "--lora", "style-flat:0");
    const half = await generateJson("--seed", "7", "--lora", "style-flat:0.5");
    expect(half["loras"]).toEqual([
      { name: "lcm-lora", weight: 1 },
      { name: "style-flat", weight: 0.5 },
    ]);
    expect((await pixels(none))[0]!.equals((await pixels(plain))[0]!)).toBe(true);
    expect((await pixels(half))[0]!.equals((await pixels(plain))[0]!)).toBe(false);
    const ddim = await generateJson("--seed", "7", "--sampler", "ddim", "--steps", "8");
    expect(ddim).toMatchObject({ loras: [], sampler: "ddim", steps: 8, guidance: 4, networkCalls: 16 });
    const without = await generateJson("--seed", "7", "--no-lcm", "--steps", "8");
    expect(without).toMatchObject({ loras: [], sampler: "ddim", steps: 8 });
    const karras = await generateJson("--seed", "7", "--sampler", "DPM++ 2M Karras", "--steps", "8");
    expect(karras).toMatchObject({ loras: [], sampler: "dpm-solver++", networkCalls: 16 });
    const adaptive = await generateJson("--seed", "7", "--sampler", "dpm-solver-23", "--guidance", "1");
    expect(Number(adaptive["networkCalls"])).toBeGreaterThanOrEqual(3 * Number(adaptive["steps"]));
    const forced = await generateJson("--seed", "7", "--lcm", "--sampler", "euler", "--steps", "2", "--guidance", "1");
    expect(forced).toMatchObject({ loras: [{ name: "lcm-lora" }], sampler: "euler", networkCalls: 2 });
  });

  it("takes another LCM-LoRA in place of the model's own", async () => {
    const other = join(folder, "my-lcm.safetensors");
    await writeFile(other, tinyLora("mine"));
    expect(await generateJson("--lora", `${other}:0.9`)).toMatchObject({
      loras: [{ name: "my-lcm", weight: 0.9 }],
      steps: 4,
    });
  });

  it("gives full latent consistency models their guidance in one call a step", async () => {
    const result = await generateJson("--model", guided, "--seed", "7");
    expect(result).toMatchObject({
      loras: [],
      sampler: "lcm",
      steps: 4,
      guidance: 8.5,
      networkCalls: 4,
      model: "guided",
    });
    const other = await generateJson("--model", guided, "--seed", "7", "--guidance", "3");
    expect((await pixels(other))[0]!.equals((await pixels(result))[0]!)).toBe(false);
  });

  it("draws other sizes, and chooses a seed itself", async () => {
    const result = await generateJson("--size", "48x24", "--steps", "1");
    expect(await sharp(result.images[0]!.path).metadata()).toMatchObject({ width: 48, height: 24, format: "png" });
    const [first, second] = [result, await generateJson("--steps", "1")].map(({ images }) => images[0]!.seed);
    expect(first).not.toBe(second);
  });

  it("prints a line for each picture, and how it was made", async () => {
    const { code, stdout, stderr } = await generate(["--seed", "7", "--count", "2"]);
    expect(code).toBe(0);
    expect(stdout).toBe(`${join(out, "a-red-apple-7.png")}  seed 7\n${join(out, "a-red-apple-8.png")}  seed 8\n`);
    expect(stderr).toMatch(/^lcm, 4 steps, guidance 1: 8 network calls in \d+\.\d s\n$/);
  });

  it("shows a bar and the pictures on a terminal", async () => {
    const world = { columns: 80, env: { COLORTERM: "truecolor", TERM: "xterm-256color" } };
    const { stdout, stderr } = await generate(["--seed", "7"], world);
    const picture = stdout.split("\u001b[16A\u001b[J").at(-1)!;
    expect(picture.split("\n").filter((line) => line.includes("▀")).length).toBe(16);
    expect(stderr).toContain("step 1 of 4");
    const plain = await generate(["--seed", "7", "--no-preview"], world);
    expect(plain.stdout).not.toContain("▀");
  });
});

describe("warnings of fourstep generate", () => {
  const warned = async (...args: string[]): Promise<{ readonly stderr: string; readonly json: Json }> => {
    const { code, stdout, stderr } = await generate(["--json", "--seed", "7", "--steps", "1", ...args]);
    expect(code).toBe(0);
    return { stderr, json: JSON.parse(stdout) as Json };
  };

  it.each([
    [["--guidance", "3"], "a guidance of 3 is high for LCM, which has learnt guidance already; use 1 to 2."],
    [
      ["--negative", "a pear"],
      "the negative prompt has no effect with a guidance of 1; use a guidance above 1, such as 1.5.",
    ],
    [["--sampler", "lcm", "--no-lcm"], "the lcm sampler needs an LCM-LoRA; without one its pictures are blurred."],
    [["--sampler", "euler"], "1 step of euler is too little without an LCM-LoRA; use at least 8 steps."],
    [["zebra"], 'tiny was taught few words and does not know "zebra".'],
    [
      ["[red:green:0.5]"],
      'prompts are not changed between steps: "[red:green:0.5]" is read as a text of lower weight.',
    ],
  ])("%j", async (args, sentence) => {
    const { stderr, json } = await warned(...args);
    expect(stderr).toBe(`warning: ${sentence}\n`);
    expect(json["warnings"]).toEqual([sentence]);
  });

  it("tell of LoRA tensors that are left out", async () => {
    const tensors = decodeSafetensors(tinyLora("flat"), "flat");
    tensors.set("lora_unet_nowhere.lora_up.weight", float32([1], [0]));
    tensors.set("lora_te_text_model.lora_up.weight", float32([1], [0]));
    tensors.set("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", float32([1], [0]));
    const path = join(folder, "strays.safetensors");
    await writeFile(path, encodeSafetensors(tensors));
    expect((await warned("--lora", path)).json["warnings"]).toEqual([
      'strays.safetensors: left out, as the model lacks their layers: 2 of 240 tensors, e.g. "lora_te_text_model.lora_up.weight".',
      'strays.safetensors: left out, as they name no part of this model: 1 of 240 tensors, e.g. "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight".',
    ]);
  });
});

describe("errors of fourstep generate", () => {
  it.each([
    [["--steps", "0"], "option '--steps <n>' argument '0' is invalid. It must be a whole number from 1 to 1000."],
    [["--steps", "4.5"], "option '--steps <n>' argument '4.5' is invalid. It must be a whole number from 1 to 1000."],
    [
      ["--size", "big"],
      "option '--size <WxH>' argument 'big' is invalid. It must be WIDTHxHEIGHT in pixels, such as 64x64.",
    ],
    [["--size", "30x32"], "The size is 30x32, but this model draws sides that are multiples of 8; try 32x32."],
    [["--guidance", "much"], "option '--guidance <g>' argument 'much' is invalid. It must be a number from 0 to 100."],
    [
      ["--sampler", "dpm2"],
      `option '--sampler <name>' argument 'dpm2' is invalid. Samplers are ${samplerNames.join(", ")}.`,
    ],
    [
      ["--seed", "x"],
      "option '--seed <n>' argument 'x' is invalid. It must be a whole number from 0 to 9007199254740991.",
    ],
    [["--sed", "7"], "unknown option '--sed' (Did you mean --seed?)"],
    [["--steps", "60"], "60 steps are more than the 50 timesteps the model was distilled on; use at most 50."],
    [
      ["--out", "apple.png"],
      '--out takes a folder, but "apple.png" looks like a file; pictures are named by themselves.',
    ],
    [
      ["--lora", "nowhere.safetensors"],
      "nowhere.safetensors: there is no such LoRA file; give a safetensors file, or FILE:weight, or a name: lcm-lora, style-flat.",
    ],
    [["--model", "nowhere"], "nowhere: there is no such folder; give the folder that holds model_index.json."],
  ])("%j", async (args, sentence) => {
    const { code, stdout, stderr } = await generate(args);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `fourstep: ${sentence}\n` });
    expect(await readdir(out)).toEqual([]);
  });

  it("say when --lcm finds none", async () => {
    const { code, stderr } = await generate(["--model", guided, "--lcm"]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `fourstep: ${guided}: --lcm was given, but there is no lora/lcm-lora.safetensors; give it with --lora.\n`,
    );
  });

  it("name the base of a LoRA that was made for another model", async () => {
    const wide = join(folder, "wide.safetensors");
    await writeFile(wide, tinyLora("wide", 2, { ...tinyConfigs.unet, cross_attention_dim: 16 }));
    const refused = await generate(["--lora", wide]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^fourstep: wide\.safetensors: module \S+ has a weight of \[8, 12\] in this model, but .* it was made for another model, or is damaged\.\n$/,
    );
    const sd15 = join(folder, "sd15.safetensors");
    await writeFile(sd15, kohyaLoraOf(knownFamilies()[0]!));
    expect(await generate(["--lora", sd15])).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "fourstep: sd15.safetensors: this LoRA was made for Stable Diffusion 1.5, so it cannot be used with tiny; choose one trained on this model.\n",
    });
  });

  it("leave damaged weights to no stack trace", async () => {
    const broken = join(folder, "broken");
    await writeTinyModel(broken);
    const path = join(broken, "unet", "diffusion_pytorch_model.safetensors");
    await writeFile(path, (await readFile(path)).subarray(0, 4000));
    const { code, stdout, stderr } = await generate(["--model", broken]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^fourstep: diffusion_pytorch_model\.safetensors: .*\n$/);
    expect(stderr.trim()).not.toContain("\n");
  });

  it("tell of numbers that are not finite with exit code 1", async () => {
    const strong = await generate(["--lora", "style-flat:1e38"]);
    expect(strong.code).toBe(1);
    expect(strong.stderr).toMatch(
      /^fourstep: The U-Net's output in step 1 of 4 \(timestep 999\) of tiny is not a finite number; .*\n$/,
    );
    expect(await readdir(out)).toEqual([]);
  });

  it("stop with 130 when the user does, and keep what is done", async () => {
    const stop = new AbortController();
    const onStderr = (text: string): void => {
      if (text.includes("step 5 of")) stop.abort();
    };
    const { code, stdout, stderr } = await generate(["--count", "3", "--seed", "7", "--json"], {
      signal: stop.signal,
      columns: 80,
      onStderr,
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    expect(stderr).toContain("fourstep: 1 of 3 pictures were drawn.\nfourstep: stopped.\n");
    expect(await readdir(out)).toEqual(["a-red-apple-7.png"]);
  });
});
