import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blockFactors, idleParts, parseBlockWeights } from "./block-weights.ts";

const pathsOf = (model: string): string[] => {
  const text = readFileSync(`test/fixtures/adapters/modules-${model}.json`, "utf8");
  return (JSON.parse(text) as { modules: [string, number[]][] }).modules.map(([path]) => path);
};
const sd15 = pathsOf("sd15");
const sdxl = pathsOf("sdxl");
const ssd1b = pathsOf("ssd1b");
const factor = (text: string, path: string, paths = sd15): number => {
  expect(paths).toContain(path);
  return blockFactors(parseBlockWeights(text), paths).layer(path);
};

const toQ = (block: string): string => `${block}.attentions.0.transformer_blocks.0.attn1.to_q`;

describe("blocks by parts of their paths", () => {
  it.each([
    ["down=0.5", toQ("down_blocks.1"), 0.5],
    ["down=0.5", toQ("up_blocks.1"), 1],
    ["mid=-2", "mid_block.resnets.1.conv2", -2],
    ["up.1=0.25", "up_blocks.1.resnets.0.conv1", 0.25],
    ["up.1=0.25", "up_blocks.2.resnets.1.conv1", 1],
    ["up_blocks.1.attentions.0=0.25", toQ("up_blocks.1"), 0.25],
    ["attentions=0,resnets=3", "down_blocks.3.resnets.0.time_emb_proj", 3],
    ["samplers=0", "down_blocks.0.downsamplers.0.conv", 0],
    ["samplers=0", "up_blocks.0.upsamplers.0.conv", 0],
    ["attn1.to_q=0", toQ("mid_block"), 0],
    ["attn2=0", toQ("mid_block"), 1],
    // The last that names a layer decides.
    ["all=0,up=1", toQ("up_blocks.3"), 1],
    ["up=1,all=0", toQ("up_blocks.3"), 0],
  ])("%s: %s", (text, path, expected) => {
    expect(factor(text, path)).toBe(expected);
  });

  it("weigh the text encoders apart", () => {
    expect(blockFactors(parseBlockWeights("text=0.3,up=0"), sd15).textEncoders).toBe(0.3);
    expect(blockFactors(parseBlockWeights("up=0"), sd15).textEncoders).toBe(1);
  });

  it("tell which parts an adapter does not change", () => {
    const attention = sd15.filter((path) => path.includes("attn1"));
    expect(idleParts(parseBlockWeights("up=1,resnets=0,text=1,attn2=2"), attention, sd15)).toEqual([
      "resnets",
      "attn2",
    ]);
    expect(idleParts(parseBlockWeights("OUTALL"), attention, sd15)).toEqual([]);
  });

  it.each([
    ["upp=0", '"upp" is in no layer\'s name; write such as down, mid, up.1,'],
    ["up.7=0", '"up.7" is in no layer\'s name'],
    ["constructor=0", '"constructor" is in no layer\'s name'],
    ["up=strong", '"up=strong": the weight "strong" of up must be a number, such as 0.5.'],
    ["up=", '"up=": the weight "" of up must be a number'],
    ["up=Infinity", 'the weight "Infinity" of up must be a number'],
    ["up=1,mid", '"up=1,mid": the weight "" of mid must be a number'],
    ["=1", '"=1": "=1" is no block with its weight; write such as down=0.5,mid=1,up=0.'],
    ["1,2,x", '"1,2,x": the weight "x" of block 3 must be a number, such as 0.5.'],
    [
      "OUTSIDE",
      '"OUTSIDE" are no block weights; write such as down=0.5,mid=1,up=0, a list of numbers, or one of NONE, ALL',
    ],
    ["toString", '"toString" are no block weights'],
  ])("refuse %s", (text, sentence) => {
    expect(() => blockFactors(parseBlockWeights(text), sd15)).toThrow(sentence);
  });
});

describe("blocks in a list", () => {
  // Each number says its place, so that a layer's factor tells which block it was taken for.
  const list = (length: number): string => Array.from({ length }, (_, i) => i).join(",");

  it.each([
    ["down_blocks.0.resnets.0.conv1", 2],
    ["down_blocks.0.attentions.1.proj_in", 3],
    ["down_blocks.0.downsamplers.0.conv", 4],
    ["down_blocks.3.resnets.1.conv2", 12],
    ["mid_block.resnets.0.conv1", 13],
    ["mid_block.attentions.0.proj_out", 13],
    ["up_blocks.0.resnets.0.conv1", 14],
    ["up_blocks.0.upsamplers.0.conv", 16],
    ["up_blocks.3.attentions.2.proj_in", 25],
    ["conv_in", 1],
    ["conv_out", 1],
  ])("of 26, for Stable Diffusion 1: %s is %i", (path, place) => {
    expect(factor(list(26), path)).toBe(place);
  });

  it.each([
    ["down_blocks.0.attentions.0.proj_in", 1],
    ["down_blocks.0.attentions.1.proj_in", 2],
    ["down_blocks.2.attentions.1.proj_in", 6],
    ["down_blocks.2.resnets.1.conv1", 6],
    ["mid_block.attentions.0.proj_in", 7],
    ["up_blocks.1.attentions.0.proj_in", 8],
    ["up_blocks.3.attentions.2.proj_in", 16],
    ["up_blocks.0.resnets.0.conv1", 0],
    ["down_blocks.0.downsamplers.0.conv", 0],
  ])("of 17: %s is %i", (path, place) => {
    expect(factor(list(17), path)).toBe(place);
  });

  it.each([
    ["down_blocks.1.attentions.0.proj_in", 12, 1],
    ["down_blocks.2.attentions.1.proj_in", 12, 4],
    ["mid_block.attentions.0.proj_in", 12, 5],
    ["up_blocks.0.attentions.0.proj_in", 12, 6],
    ["up_blocks.1.attentions.2.proj_in", 12, 11],
    ["down_blocks.1.attentions.0.proj_in", 20, 5],
    ["mid_block.resnets.0.conv1", 20, 10],
    ["up_blocks.2.resnets.2.conv1", 20, 19],
  ])("for SDXL: %s, of %i, is %i", (path, length, place) => {
    expect(factor(list(length), path, sdxl)).toBe(place);
  });

  it("for SSD-1B, whose middle has no attention", () => {
    expect(factor(list(12), "mid_block.resnets.0.conv1", ssd1b)).toBe(5);
    expect(factor(list(12), "up_blocks.1.attentions.2.proj_in", ssd1b)).toBe(11);
  });

  it("begins with the text encoders", () => {
    expect(blockFactors(parseBlockWeights(list(17).replace("0,", "0.25,")), sd15).textEncoders).toBe(0.25);
  });

  it("goes by the names of LoRA Block Weight's presets", () => {
    expect(factor("OUTALL", toQ("up_blocks.1"))).toBe(1);
    expect(factor("OUTALL", toQ("down_blocks.1"))).toBe(0);
    expect(factor("INS", toQ("down_blocks.0"))).toBe(1);
    expect(factor("INS", toQ("down_blocks.2"))).toBe(0);
    expect(factor("ALL0.5", toQ("mid_block"))).toBe(0.5);
  });

  it("has the length that the model asks for", () => {
    expect(() => blockFactors(parseBlockWeights("1,2,3"), sd15)).toThrow(
      "this list has 3 block weights, but this model has 26 of them (text encoders, IN00 to OUT11), or 17 for the blocks with attention.",
    );
    expect(() => blockFactors(parseBlockWeights("OUTALL"), sdxl)).toThrow(
      "the preset OUTALL has 17 block weights, but this model has 20 of them (text encoders, IN00 to OUT08), or 12",
    );
  });
});
