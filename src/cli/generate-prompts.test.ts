import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, runFourstep } from "../../test/cli-run.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { float32 } from "../tensor/tensor.ts";

const embedding = "test/fixtures/prompts/birb-style.pt";
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-prompts-"));
  await writeTinyModel(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

function generate(prompt: string, ...args: readonly string[]): Promise<CliResult> {
  const usual = ["--model", join(folder, "tiny"), "--sampler", "ddim", "--steps", "8", "--seed", "7", "--json"];
  return runFourstep(["generate", prompt, ...usual, "--out", join(folder, "out"), ...args]);
}

interface Drawn {
  readonly pixels: Buffer;
  readonly settings: ReadonlyMap<string, string>;
  readonly warnings: string;
}

async function drawn(prompt: string, ...args: readonly string[]): Promise<Drawn> {
  const { code, stdout, stderr } = await generate(prompt, ...args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const { path } = (JSON.parse(stdout) as { images: { path: string }[] }).images[0]!;
  const texts = await readPngText(await readFile(path), path);
  const { settings } = parseInfotext(texts.get("parameters")!);
  return { pixels: await sharp(path).raw().toBuffer(), settings, warnings: stderr };
}

describe("prompts of fourstep generate", () => {
  it("weigh words in the syntax that is asked for", async () => {
    const plain = await drawn("a red apple");
    expect((await drawn("a red apple", "--prompt-syntax", "plain")).pixels.equals(plain.pixels)).toBe(true);
    const heavy = await drawn("a (red:1.5) apple");
    expect(heavy.pixels.equals(plain.pixels)).toBe(false);
    const compel = await drawn("a (red)1.5 apple", "--prompt-syntax", "compel");
    expect(compel.pixels.equals(plain.pixels)).toBe(false);
    expect(compel.pixels.equals(heavy.pixels)).toBe(false);
  });

  it("leave the text encoder where they are told", async () => {
    const { pixels, settings } = await drawn("a red apple", "--clip-skip", "2");
    expect(settings.get("Clip skip")).toBe("2");
    expect(pixels.equals((await drawn("a red apple")).pixels)).toBe(false);
    const deep = await generate("a red apple", "--clip-skip", "3");
    expect(deep.code).toBe(2);
  });

  it("know the words of textual inversion", async () => {
    const { pixels, settings, warnings } = await drawn("a birb-style apple", "--embedding", embedding);
    expect(settings.get("Embeddings")).toBe("birb-style");
    expect(warnings).toBe("");
    const named = await drawn("a <birb> apple", "--embedding", `${embedding}:<birb>`);
    expect(named.pixels.equals(pixels)).toBe(true);
    expect((await drawn("a apple")).pixels.equals(pixels)).toBe(false);
  });

  it("refuse what is no word of this model", async () => {
    const wide = join(folder, "wide.safetensors");
    await writeFile(wide, encodeSafetensors(new Map([["<wide>", float32([768], new Float32Array(768))]])));
    for (const [args, sentence] of [
      [
        ["--embedding", wide],
        "wide.safetensors: its vectors are 768 wide, made for Stable Diffusion 1.x, but tiny takes 12.",
      ],
      [
        ["--embedding", "nowhere.pt"],
        "nowhere.pt: there is no such file; give a file of textual inversion, or FILE:word.",
      ],
      [
        ["--embedding", embedding, "--embedding", embedding],
        'birb-style.pt: the word "birb-style" comes from birb-style.pt already; name one otherwise with FILE:word.',
      ],
      [
        ["--prompt-syntax", "a1112"],
        "option '--prompt-syntax <name>' argument 'a1112' is invalid. Allowed choices are a1111, compel, plain.",
      ],
    ] as const) {
      const { code, stdout, stderr } = await generate("a birb-style apple", ...args);
      expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `fourstep: ${sentence}\n` });
    }
  });
});
