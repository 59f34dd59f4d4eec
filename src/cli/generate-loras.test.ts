import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, runFourstep } from "../../test/cli-run.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { loraHash } from "../node/lora-hash.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import type { Tensor } from "../tensor/tensor.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-generate-loras-"));
  await writeTinyModel(join(folder, "tiny"));
  await writeTinyModel(join(folder, "bare"));
  await mkdir(join(folder, "tiny", "lora"));
  await mkdir(join(folder, "loras", "styles"), { recursive: true });
  await writeFile(join(folder, "tiny", "lora", "lcm-lora.safetensors"), tinyLora("lcm"));
  await writeFile(join(folder, "loras", "styles", "ink.safetensors"), tinyLora("ink"));
  await writeFile(join(folder, "loras", "sdxl_lightning_2step_lora.safetensors"), tinyLora("lightning"));
});
afterAll(() => rm(folder, { recursive: true }));

function generate(prompt: string, ...args: readonly string[]): Promise<CliResult> {
  const model = args.includes("--model") ? [] : ["--model", join(folder, "tiny")];
  const usual = ["--lora-dir", join(folder, "loras"), "--seed", "7", "--out", join(folder, "out")];
  return runFourstep(["generate", prompt, ...model, ...usual, ...args]);
}

interface Drawn {
  readonly pixels: Buffer;
  readonly json: Readonly<Record<string, unknown>>;
  readonly prompt: string;
  readonly settings: ReadonlyMap<string, string>;
}

async function drawn(prompt: string, ...args: readonly string[]): Promise<Drawn> {
  const { code, stdout, stderr } = await generate(prompt, "--json", ...args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const json = JSON.parse(stdout) as { images: { path: string }[] };
  const { path } = json.images[0]!;
  const text = parseInfotext((await readPngText(await readFile(path), path)).get("parameters")!);
  return { pixels: await sharp(path).raw().toBuffer(), json: { ...json }, ...text };
}

describe("LoRAs of fourstep generate", () => {
  it("bring words with vectors of their own, as cloneofsimo's and A1111's do", async () => {
    const plain = decodeSafetensors(tinyLora("ink"), "ink");
    const vectors = (rows: number): Tensor => ({
      type: "float32",
      shape: rows === 1 ? [12] : [rows, 12],
      data: new Mt19937(3).randn(12 * rows),
    });
    const withWords = encodeSafetensors(
      new Map([...plain, ["<s1>", vectors(1)], ["bundle_emb.papercut.string_to_param.*", vectors(2)]]),
      { "<s1>": "<embed>" },
    );
    await writeFile(join(folder, "words.safetensors"), withWords);
    const lora = ["--lora", `${join(folder, "words.safetensors")}:0.7`];
    const without = await drawn("a red apple", ...lora);
    for (const word of ["<s1>", "papercut"]) {
      const { pixels, json } = await drawn(`a ${word} apple`, ...lora);
      expect(json).toMatchObject({ warnings: [] });
      expect(pixels.equals(without.pixels)).toBe(false);
    }
    // The very vectors in a file of their own do the same.
    await writeFile(join(folder, "own.safetensors"), encodeSafetensors(new Map([["papercut", vectors(2)]]), {}));
    await writeFile(join(folder, "plain.safetensors"), encodeSafetensors(plain, {}));
    const apart = [
      "--lora",
      `${join(folder, "plain.safetensors")}:0.7`,
      "--embedding",
      join(folder, "own.safetensors"),
    ];
    const own = await drawn("a papercut apple", ...apart);
    expect(own.pixels.equals((await drawn("a papercut apple", ...lora)).pixels)).toBe(true);
  });

  it("come from the prompt as they come from --lora, and pictures say so", async () => {
    const tag = await drawn("a red <lora:ink:0.7>apple");
    expect(tag.json).toMatchObject({
      prompt: "a red apple",
      loras: [
        { name: "lcm-lora", weight: 1 },
        { name: "ink", weight: 0.7 },
      ],
      warnings: [],
    });
    expect(tag.prompt).toBe("a red <lora:ink:0.7>apple <lora:lcm-lora:1>");
    const hashes = await Promise.all(
      ["tiny/lora/lcm-lora", "loras/styles/ink"].map((name) => loraHash(join(folder, `${name}.safetensors`))),
    );
    expect(tag.settings.get("Lora hashes")).toBe(`lcm-lora: ${hashes[0]}, ink: ${hashes[1]}`);
    const option = await drawn("a red apple", "--lora", "styles/ink:0.7");
    expect(option.pixels.equals(tag.pixels)).toBe(true);
    expect(option.prompt).toBe("a red apple <lora:lcm-lora:1> <lora:ink:0.7>");
    const plain = await drawn("a red apple");
    expect(plain.pixels.equals(tag.pixels)).toBe(false);
    // What a picture says draws it again.
    expect((await drawn(tag.prompt)).pixels.equals(tag.pixels)).toBe(true);
  });

  it("are weighed by blocks", async () => {
    const whole = await drawn("a red apple", "--lora", "ink");
    const parts = await drawn("a red apple", "--lora", "ink:1:up=0,resnets=2");
    expect(parts.pixels.equals(whole.pixels)).toBe(false);
    expect(parts.prompt).toBe("a red apple <lora:lcm-lora:1> <lora:ink:1:lbw=up=0,resnets=2>");
    expect((await drawn(parts.prompt)).pixels.equals(parts.pixels)).toBe(true);
    const none = await drawn("a red apple", "--lora", "ink:1:all=0");
    expect(none.pixels.equals((await drawn("a red apple")).pixels)).toBe(true);
  });

  it("are weighed by steps", async () => {
    const whole = await drawn("a red apple", "--lora", "ink:0.9", "--count", "2");
    const always = await drawn("a red apple", "--lora", "ink:0.9@0-100%");
    // What changes with the steps is not merged: the same numbers but for rounding.
    const largest = always.pixels.reduce((most, x, i) => Math.max(most, Math.abs(x - whole.pixels[i]!)), 0);
    expect(largest).toBeLessThanOrEqual(2);
    const early = await drawn("a red apple <lora:ink:0.9@0-50%>", "--count", "2");
    expect(early.pixels.equals(whole.pixels)).toBe(false);
    const late = await drawn("a red apple", "--lora", "ink:0.9:start=3");
    expect(late.pixels.equals(whole.pixels)).toBe(false);
    expect(late.pixels.equals(early.pixels)).toBe(false);
    const { images } = early.json as { images: { path: string }[] };
    const second = await drawn("a red apple <lora:ink:0.9@0-50%>", "--seed", "8");
    expect(second.pixels.equals(await sharp(images[1]!.path).raw().toBuffer())).toBe(true);
  });

  it("set what fits them, and say it in a line", async () => {
    const { stderr } = await generate("a red apple", "--lora", "sdxl_lightning_2step_lora");
    expect(stderr).toMatch(
      /^sdxl_lightning_2step_lora is an SDXL-Lightning LoRA: euler, 2 steps, guidance 1\.\neuler, /,
    );
    const told = await drawn("a red apple", "--lora", "sdxl_lightning_2step_lora", "--steps", "3");
    expect(told.json).toMatchObject({
      loras: [{ name: "sdxl_lightning_2step_lora" }],
      sampler: "euler",
      steps: 3,
      guidance: 1,
      notes: ["sdxl_lightning_2step_lora is an SDXL-Lightning LoRA: euler, 3 steps, guidance 1."],
    });
    const lcm = join(folder, "tiny", "lora", "lcm-lora.safetensors");
    const given = await drawn("a red apple", "--model", join(folder, "bare"), "--lora", lcm);
    expect(given.json).toMatchObject({ sampler: "lcm", notes: ["lcm-lora is an LCM-LoRA: lcm, 4 steps, guidance 1."] });
  });

  it("are warned of where nothing is made of them", async () => {
    const warnings = async (...args: readonly [string, ...string[]]): Promise<unknown> =>
      (await drawn(...args)).json["warnings"];
    expect(await warnings("a red apple <lora:blot:0.7> <hypernet:x:1>", "--steps", "1")).toEqual([
      "<hypernet:x:1> asks for a network of a kind that is not known; it is left out.",
      "<lora:blot:0.7> is left out, since no LoRA is called blot; there are sdxl_lightning_2step_lora, styles/ink, lcm-lora.",
    ]);
    expect(await warnings("a red apple", "--steps", "1", "--lora", "ink:1:text=0:lbwe=X:1")).toEqual([
      'ink: "lbwe=X" has no effect here.',
    ]);
    expect(await warnings("a red apple", "--negative", "a pear <lora:ink:1>", "--guidance", "1.5")).toEqual([
      "LoRAs are asked for in the prompt; <lora:ink:1> of the negative one is left out.",
    ]);
  });

  it.each([
    [["--lora", "ink:strong"], 'ink:strong: the weight "strong" must be a number, such as 0.8.'],
    [
      ["--lora", "ink:1:upp=1"],
      '"upp" is in no layer\'s name; write such as down, mid, up.1, attentions, resnets, samplers, attn2.to_k, text or all.',
    ],
    [
      ["--lora", "ink:1:1,0,1"],
      "this list has 3 block weights, but this model has 10 of them (text encoders, IN00 to OUT03), or 5 for the blocks with attention.",
    ],
    [
      ["--lora", "ink:1@0-50%", "--sampler", "dpm-solver-23"],
      "dpm-solver-23 finds its steps itself, so that a LoRA's weight cannot change with them; choose another sampler.",
    ],
    [["--lora-dir", "nowhere"], "nowhere: there is no such folder; give one that holds LoRAs."],
    [["<lora:ink:much>"], '<lora:ink:much>: the weight "much" must be a number, such as 0.8.'],
  ])("refuse %j", async (args, sentence) => {
    expect(await generate("a red apple", ...args)).toEqual({ code: 2, stdout: "", stderr: `fourstep: ${sentence}\n` });
  });
});

describe("fourstep generate --like", () => {
  const pathOf = ({ json }: Drawn): string => (json as unknown as { images: { path: string }[] }).images[0]!.path;

  it("draws what a picture says, but for what is given", async () => {
    const told = [
      "--lora",
      "ink:0.7:up=0.5",
      "--steps",
      "3",
      "--guidance",
      "1.5",
      "--negative",
      "a pear",
      "--clip-skip",
      "2",
    ];
    const first = await drawn("a (red:1.2) apple", ...told, "--size", "40x24");
    const again = async (...args: readonly string[]): Promise<Drawn> => {
      const usual = [
        "--model",
        join(folder, "tiny"),
        "--lora-dir",
        join(folder, "loras"),
        "--out",
        join(folder, "out"),
      ];
      const { code, stdout, stderr } = await runFourstep([
        "generate",
        "--like",
        pathOf(first),
        "--json",
        ...usual,
        ...args,
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const json = JSON.parse(stdout) as { images: { path: string }[] };
      const { path } = json.images[0]!;
      const text = parseInfotext((await readPngText(await readFile(path), path)).get("parameters")!);
      return { pixels: await sharp(path).raw().toBuffer(), json: { ...json }, ...text };
    };
    const same = await again();
    expect(same.pixels.equals(first.pixels)).toBe(true);
    expect(same.prompt).toBe(first.prompt);
    expect(same.settings).toEqual(first.settings);
    const other = await again("--steps", "2", "a green apple");
    expect(other.json).toMatchObject({ steps: 2, guidance: 1.5, negativePrompt: "a pear", prompt: "a green apple  " });
    expect(other.json["loras"]).toEqual(first.json["loras"]);
    // A LoRA is found by its hash where it has another name.
    const renamed = join(folder, "renamed");
    await mkdir(renamed);
    await writeFile(join(renamed, "brush.safetensors"), tinyLora("ink"));
    const arguments_ = ["generate", "--like", pathOf(first), "--json", "--out", join(folder, "out")];
    const run = await runFourstep([...arguments_, "--model", join(folder, "tiny"), "--lora-dir", renamed]);
    const { images } = JSON.parse(run.stdout) as { images: { path: string }[] };
    expect((await sharp(images[0]!.path).raw().toBuffer()).equals(first.pixels)).toBe(true);
    await writeFile(join(renamed, "ink.safetensors"), tinyLora("lcm"));
    const changed = await runFourstep([...arguments_, "--model", join(folder, "tiny"), "--lora-dir", renamed]);
    expect(changed.stderr).toBe("warning: ink is another file than the one that the picture was drawn with.\n");
  });

  it("keeps sampler, spread and syntax", async () => {
    const options = ["--sampler", "DPM++ 2M Karras", "--steps", "8", "--guidance", "3", "--prompt-syntax", "compel"];
    const first = await drawn("a (red)1.3 apple", ...options);
    expect(first.settings.get("Schedule type")).toBe("Karras");
    expect(first.settings.get("Prompt syntax")).toBe("compel");
    const { stdout } = await runFourstep([
      "generate",
      "--like",
      pathOf(first),
      "--json",
      "--out",
      join(folder, "out"),
      "--model",
      join(folder, "tiny"),
    ]);
    const { images } = JSON.parse(stdout) as { images: { path: string }[] };
    expect((await sharp(images[0]!.path).raw().toBuffer()).equals(first.pixels)).toBe(true);
  });

  it("says what it cannot know", async () => {
    const plain = join(folder, "plain.png");
    await sharp({ create: { width: 8, height: 8, channels: 3, background: "#fff" } })
      .png()
      .toFile(plain);
    const like = (picture: string, ...args: string[]): Promise<CliResult> =>
      runFourstep([
        "generate",
        "--like",
        picture,
        "--model",
        join(folder, "tiny"),
        "--out",
        join(folder, "out"),
        ...args,
      ]);
    expect((await like(plain)).stderr).toBe(`fourstep: ${plain}: this picture does not say how it was drawn.\n`);
    expect((await like("nowhere.png")).stderr).toBe(
      "fourstep: nowhere.png: the picture cannot be read; check the path.\n",
    );
    const first = await drawn("a red apple", "--steps", "1");
    const other = await like(pathOf(first), "--model", join(folder, "bare"));
    expect(other.stderr).toContain("warning: the picture was drawn with the model tiny, but this one is bare;");
    expect(other.stderr).toContain("warning: <lora:lcm-lora:1> is left out, since no LoRA is called lcm-lora;");
  });
});
