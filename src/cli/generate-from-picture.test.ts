import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CliResult, type CliWorld, runFourstep } from "../../test/cli-run.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";

let folder = "";
let model = "";
let seeing = "";
let out = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-cli-picture-"));
  model = join(folder, "tiny");
  seeing = join(folder, "seeing");
  await writeTinyModel(model);
  await writeTinyModel(seeing, { unet: { in_channels: 9 } });
  await writeFile(join(folder, "lcm.safetensors"), tinyLora("lcm"));
  const gradient = Uint8Array.from({ length: 3 * 32 * 32 }, (_, i) => (7 * i) % 256);
  await sharp(gradient, { raw: { width: 32, height: 32, channels: 3 } })
    .png()
    .toFile(at("init.png"));
  // The right half is white.
  const mask = Uint8Array.from({ length: 32 * 32 }, (_, i) => (i % 32 < 16 ? 0 : 255));
  await sharp(mask, { raw: { width: 32, height: 32, channels: 1 } })
    .png()
    .toFile(at("mask.png"));
  await sharp({ create: { width: 32, height: 32, channels: 3, background: "black" } })
    .png()
    .toFile(at("black.png"));
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  out = await mkdtemp(join(folder, "out-"));
});
afterEach(() => rm(out, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

function generate(args: readonly string[], world?: CliWorld): Promise<CliResult> {
  const named = args.includes("--model") ? [] : ["--model", model];
  const lora = ["--lora", at("lcm.safetensors")];
  return runFourstep(["generate", "a red apple", ...named, ...lora, "--seed", "7", "--out", out, ...args], world);
}

interface Json {
  readonly images: readonly { readonly path: string; readonly networkCalls: number }[];
  readonly [key: string]: unknown;
}

async function generateJson(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await generate(["--json", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Json;
}

const pixelsOf = (path: string): Promise<Buffer> => sharp(path).removeAlpha().raw().toBuffer();

async function settingsOf({ images }: Json): Promise<Readonly<Record<string, string>>> {
  const text = (await readPngText(await readFile(images[0]!.path), "picture")).get("parameters")!;
  return Object.fromEntries(parseInfotext(text).settings);
}

describe("fourstep generate --init", () => {
  it("draws all steps whatever the strength, and says on which timesteps", async () => {
    const init = at("init.png");
    const result = await generateJson("--init", init, "--strength", "0.1");
    expect(result).toMatchObject({
      init: "init.png",
      strength: 0.1,
      strengthSteps: "keep",
      steps: 4,
      timesteps: [99, 79, 59, 39],
      networkCalls: 4,
      width: 32,
      height: 32,
    });
    expect(await settingsOf(result)).toMatchObject({ "Denoising strength": "0.1", Steps: "4" });
    const usual = await generateJson("--init", init);
    expect(usual).toMatchObject({ strength: 0.6, timesteps: [599, 459, 299, 159] });
    const cut = await generateJson("--init", init, "--strength", "0.5", "--strength-steps", "cut");
    expect(cut).toMatchObject({ strengthSteps: "cut", timesteps: [499, 259], networkCalls: 2 });
    const euler = await generateJson("--init", init, "--sampler", "euler", "--steps", "3", "--guidance", "1");
    expect(euler).toMatchObject({ steps: 3, networkCalls: 3 });
  });

  it("brings pictures of other sizes to the one that is drawn", async () => {
    const wide = at("wide.png");
    await sharp(at("init.png")).resize(96, 48, { fit: "fill" }).toFile(wide);
    expect(await generateJson("--init", wide)).toMatchObject({ width: 48, height: 24 });
    const sized = ["--init", wide, "--size", "32x32"];
    const pictures = await Promise.all(
      ["crop", "stretch", "fill"].map(async (fit) =>
        pixelsOf((await generateJson(...sized, "--fit", fit)).images[0]!.path),
      ),
    );
    expect(pictures[0]!.equals(pictures[1]!)).toBe(false);
    expect(pictures[1]!.equals(pictures[2]!)).toBe(false);
  });

  it("draws the same pictures in batches", async () => {
    const alone = await generateJson("--init", at("init.png"), "--count", "3");
    const together = await generateJson("--init", at("init.png"), "--count", "3", "--batch", "2");
    expect(together.images.map(({ networkCalls }) => networkCalls)).toEqual([4, 4, 4]);
    for (const [i, { path }] of together.images.entries()) {
      const [a, b] = [await pixelsOf(path), await pixelsOf(alone.images[i]!.path)];
      expect(a.reduce((most, x, j) => Math.max(most, Math.abs(x - b[j]!)), 0)).toBeLessThanOrEqual(1);
    }
  });
});

describe("fourstep generate --mask", () => {
  const half = (pixels: Buffer, right: boolean): number[] =>
    [...pixels].filter((_, i) => Math.floor(i / 3) % 32 >= 16 === right);

  it("repaints what is white and keeps the rest to the last bit", async () => {
    for (const path of [model, seeing]) {
      const args = ["--model", path, "--init", at("init.png"), "--mask", at("mask.png"), "--mask-blur", "0"];
      const result = await generateJson(...args);
      expect(result).toMatchObject({ mask: "mask.png", maskBlur: 0, strength: 1, timesteps: [999, 759, 499, 259] });
      expect(await settingsOf(result)).toMatchObject({ "Denoising strength": "1", "Mask blur": "0" });
      const [drawn, given] = [await pixelsOf(result.images[0]!.path), await pixelsOf(at("init.png"))];
      expect(half(drawn, false)).toEqual(half(given, false));
      expect(half(drawn, true)).not.toEqual(half(given, true));
    }
  });

  it("softens the seam", async () => {
    const args = ["--init", at("init.png"), "--mask", at("mask.png"), "--mask-blur"];
    const [sharpEdge, soft] = [await generateJson(...args, "0"), await generateJson(...args, "2")];
    const [a, b] = [await pixelsOf(sharpEdge.images[0]!.path), await pixelsOf(soft.images[0]!.path)];
    expect(half(a, false)).not.toEqual(half(b, false));
    expect(a.subarray(0, 3 * 10)).toEqual(b.subarray(0, 3 * 10));
  });
});

describe("fourstep generate, the autoencoder", () => {
  it("decodes through another one, in tiles, or in float16", async () => {
    const other = join(folder, "other-vae");
    await writeTinyModel(other);
    const own = await generateJson("--no-vae-tiling");
    const same = await generateJson("--vae", join(other, "vae"));
    expect(same).toMatchObject({ vae: "vae" });
    expect(await settingsOf(same)).toMatchObject({ VAE: "vae" });
    expect(await pixelsOf(same.images[0]!.path)).toEqual(await pixelsOf(own.images[0]!.path));
    const tiles = await generateJson("--vae-tiling", "16");
    expect(await pixelsOf(tiles.images[0]!.path)).not.toEqual(await pixelsOf(own.images[0]!.path));
    const rounded = await generateJson("--vae-precision", "float16");
    const [a, b] = [await pixelsOf(rounded.images[0]!.path), await pixelsOf(own.images[0]!.path)];
    expect(a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)).toBeLessThanOrEqual(8);
  });

  it("shows each step in the terminal, in the place of the one before", async () => {
    const { code, stdout } = await generate(["--count", "1"], { columns: 80, env: { COLORTERM: "truecolor" } });
    expect(code).toBe(0);
    // Three further states and the picture each take the place of what stood there: 16 lines.
    expect(stdout.split("\u001b[16A\u001b[J").length).toBe(5);
  });
});

describe("errors of drawing from pictures", () => {
  const init = (): string[] => ["--init", at("init.png")];
  it.each([
    [() => ["--strength", "0.5"], "--strength needs a picture to begin with; give it with --init."],
    [() => ["--mask", at("mask.png")], "--mask needs a picture to begin with; give it with --init."],
    [() => ["--strength-steps", "cut"], "--strength-steps needs a picture to begin with; give it with --init."],
    [() => ["--fit", "fill"], "--fit needs a picture to begin with; give it with --init."],
    [() => [...init(), "--mask-blur", "2"], "--mask-blur needs a mask; give it with --mask."],
    [() => [...init(), "--strength", "0"], "The strength is 0, but it must be above 0 and at most 1."],
    [
      () => [...init(), "--strength", "2"],
      "option '--strength <x>' argument '2' is invalid. It must be a number from 0 to 1.",
    ],
    [
      () => [...init(), "--strength", "0.05"],
      "Strength 0.05 of 50 distillation timesteps leaves 2, too few for 4 steps; use at most 2 step(s) or a strength of at least 0.08.",
    ],
    [() => ["--init", "none.png"], "none.png: the picture cannot be opened; check the path."],
    [
      () => [...init(), "--vae-tiling", "20"],
      "--vae-tiling is 20 pixels, but this model's tiles must be multiples of 16.",
    ],
    [() => ["--vae", "none"], "none: there is no such file or folder; give an autoencoder's file or folder."],
  ])("%#", async (args, sentence) => {
    const { code, stdout, stderr } = await generate(args());
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `fourstep: ${sentence}\n` });
    expect(await readdir(out)).toEqual([]);
  });

  it("name files that are no pictures, and masks that mark nothing", async () => {
    await writeFile(at("text.png"), "no picture");
    const damaged = await generate(["--init", at("text.png")]);
    expect(damaged.code).toBe(2);
    expect(damaged.stderr).toMatch(
      /^fourstep: text\.png: this picture cannot be read \(.*\); expected PNG, JPEG or WebP\.\n$/,
    );
    const nothing = await generate([...init(), "--mask", at("black.png")]);
    expect(nothing.code).toBe(2);
    expect(nothing.stderr).toMatch(/this mask is black where the picture is, so there is nothing to repaint/);
  });

  it("say that a model of inpainting needs a picture and a mask", async () => {
    for (const args of [[], init()]) {
      const { code, stderr } = await generate(["--model", seeing, ...args]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: "fourstep: seeing repaints parts of pictures; give it a picture and a mask.\n",
      });
    }
  });
});
