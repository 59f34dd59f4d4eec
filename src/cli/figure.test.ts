import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, runFourstep } from "../../test/cli-run.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";

let root = "";
const at = (...names: readonly string[]): string => join(root, ...names);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-figure-"));
  await writeTinyModel(at("tiny"));
  await writeTinyModel(at("bare"));
  await mkdir(at("tiny", "lora"));
  await writeFile(at("tiny", "lora", "lcm-lora.safetensors"), tinyLora("lcm"));
  await writeFile(at("tiny", "lora", "style-ink.safetensors"), tinyLora("ink"));
  await writeFile(at("rank-4.safetensors"), tinyLora("lcm", 4));
});
afterAll(() => rm(root, { recursive: true }));

function figure(name: string, ...args: readonly string[]): Promise<CliResult> {
  const model = args.includes("--model") ? [] : ["--model", at("tiny")];
  const prompts = args.includes("--prompt") ? [] : ["--prompt", "a red apple"];
  return runFourstep(["figure", name, ...model, ...prompts, "--shown", "96", "--out", at("out"), ...args]);
}

/** A figure as SVG, having looked at the PNG beside it. */
async function drawn(name: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await figure(name, "--json", ...args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const { output } = JSON.parse(stdout) as { output: string[] };
  expect(output.map((path) => path.slice(-4))).toEqual([".svg", ".png"]);
  const svg = await readFile(output[0]!, "utf8");
  const [, width] = /^<svg [^>]*width="([\d.]+)"/.exec(svg)!;
  const { format, width: pixels } = await sharp(output[1]!).metadata();
  expect(format).toBe("png");
  expect(pixels! / Number(width)).toBeCloseTo(2, 1);
  return svg;
}

const pictures = (svg: string): string[] =>
  [...svg.matchAll(/href="data:image\/png;base64,([^"]+)"/g)].map((m) => m[1]!);
const words = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((m) => m[1]!);

describe("fourstep figure", () => {
  it("1: a model, and each of its styles, by prompts in 4 steps", async () => {
    const svg = await drawn("1", "--prompt", "a red apple", "--prompt", "a green pear");
    expect(pictures(svg)).toHaveLength(4);
    expect(words(svg)).toEqual(expect.arrayContaining(["LCM-LoRA in 4 steps", "tiny", "+ ink", "a red apple"]));
    // The style shows: no two pictures are alike.
    expect(new Set(pictures(svg)).size).toBe(4);
  });

  it("1: several models, each a row", async () => {
    const lora = at("tiny", "lora", "lcm-lora.safetensors");
    const svg = await drawn("1", "--model", at("tiny"), "--model", at("bare"), "--lora", lora);
    expect(words(svg)).toEqual(expect.arrayContaining(["tiny", "bare"]));
    // Both are the same weights here.
    const [first, second] = pictures(svg);
    expect(first).toBe(second);
  });

  it("2: norms and angle of real vectors, pictures at the four corners", async () => {
    const svg = await drawn("2");
    expect(new Set(pictures(svg)).size).toBe(4);
    const facts = words(svg).find((line) => line.startsWith("|tau_LCM|"))!;
    const [lcm, ink, cosine, degrees] = [...facts.matchAll(/-?\d+\.\d+/g)].map(([x]) => Number(x)) as [
      number,
      number,
      number,
      number,
    ];
    expect(Math.min(lcm, ink)).toBeGreaterThan(0);
    expect((Math.acos(cosine) * 180) / Math.PI).toBeCloseTo(degrees, 0);
    const [, x = 0, y = 0] = /<path d="M[\d.]+ [\d.]+L([\d.]+) ([\d.]+)" fill="none" stroke="#b3541e"/
      .exec(svg)!
      .map(Number);
    expect([x > 0, y > 0]).toEqual([true, true]);
  });

  it("3: styles by steps, the paper's weights, four steps framed", async () => {
    const svg = await drawn("3");
    expect(pictures(svg)).toHaveLength(12);
    expect(words(svg)).toEqual(
      expect.arrayContaining([
        "1 step",
        "32 steps",
        "ink, DPM-Solver++",
        "ink + LCM-LoRA",
        "lambda1 = 0.8, lambda2 = 1; guidance 4 for DPM-Solver++",
      ]),
    );
    expect(svg.match(/stroke="#b3541e"/g)).toHaveLength(1);
  });

  it.each([
    ["lambda", 24],
    ["guidance", 12],
    ["steps", 24],
  ] as const)("a sheet over %s", async (name, count) => {
    expect(pictures(await drawn(name))).toHaveLength(count);
  });

  it("a sheet of LCM-LoRAs, such as of several ranks", async () => {
    const svg = await drawn(
      "loras",
      "--lora",
      at("tiny", "lora", "lcm-lora.safetensors"),
      "--lora",
      at("rank-4.safetensors"),
    );
    expect(words(svg)).toEqual(expect.arrayContaining(["lcm-lora", "rank-4"]));
    expect(new Set(pictures(svg)).size).toBe(2);
  });

  it("draws the same picture again from the same seed", async () => {
    expect(await drawn("1")).toBe(await drawn("1"));
    expect(await drawn("1")).not.toBe(await drawn("1", "--seed", "8"));
  });
});

describe("what cannot be drawn is said in one sentence", () => {
  it.each([
    ["4", [], 'There is no figure "4"; figures are 1, 2, 3, lambda, guidance, steps, loras.'],
    ["3", ["--model", "a", "--model", "b"], "Figure 3 is drawn with one model, but 2 were given"],
    ["3", ["--lora", "a", "--lora", "b"], "Figure 3 takes one LCM-LoRA, but 2 were given"],
    ["1", ["--prompt", " "], "A prompt is empty"],
    ["1", ["--model", "nowhere-at-all"], "nowhere-at-all"],
    ["1", ["--style", "nowhere-at-all"], "nowhere-at-all"],
  ])("%s %j", async (name, args, sentence) => {
    const { code, stdout, stderr } = await figure(name, ...args);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("a model without an LCM-LoRA, or without styles", async () => {
    const bare = await figure("1", "--model", at("bare"));
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining("bare has no lora/lcm-lora.safetensors") });
    const lora = at("tiny", "lora", "lcm-lora.safetensors");
    const plain = await figure("3", "--model", at("bare"), "--lora", lora);
    expect(plain).toMatchObject({ code: 2, stderr: expect.stringContaining("This figure needs a style") });
  });
});
