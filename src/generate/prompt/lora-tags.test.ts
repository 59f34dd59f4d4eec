import { describe, expect, it } from "vitest";
import { blockFactors } from "../../adapters/block-weights.ts";
import { parseLoraStrength } from "./lora-strength.ts";
import { parseLoraTags, writeLoraTag } from "./lora-tags.ts";

describe("tags in a prompt", () => {
  it("are taken out, and nothing else", () => {
    const { text, loras, others } = parseLoraTags(
      "a <lora:ink:0.8> fox, <birb> (red:1.2) <lyco:my style> <hypernet:x:1>",
    );
    expect(text).toBe("a  fox, <birb> (red:1.2)  ");
    expect(loras).toEqual([
      { written: "<lora:ink:0.8>", kind: "lora", name: "ink", items: ["0.8"] },
      { written: "<lyco:my style>", kind: "lyco", name: "my style", items: [] },
    ]);
    expect(others).toEqual(["<hypernet:x:1>"]);
  });

  it("leave a prompt without them as it is", () => {
    for (const prompt of ["a red apple", "<lora:", "<lora:>", "a < b > c", "<loras:x:1>"]) {
      expect(parseLoraTags(prompt)).toEqual({ text: prompt, loras: [], others: [] });
    }
  });

  it("are written with what can stand in them", () => {
    expect(writeLoraTag("a:b, <c>", "0.8")).toBe("<lora:ab c:0.8>");
    expect(parseLoraTags(writeLoraTag("ink", "0.8:lbw=up=1,down=0")).loras[0]).toMatchObject({
      name: "ink",
      items: ["0.8", "lbw=up=1,down=0"],
    });
  });

  it("cost no time when they are hostile", () => {
    const prompt = "<lora:".repeat(50_000);
    expect(parseLoraTags(prompt).text).toBe(prompt);
  });
});

const read = (...items: string[]) => parseLoraStrength(items, "x");

describe("a LoRA's strength", () => {
  it.each([
    [[], 1, 1],
    [["0.8"], 0.8, 0.8],
    [["-1e-1"], -0.1, -0.1],
    [["0.2", "0.9"], 0.9, 0.2],
    [["te=0.2", "unet=0.9"], 0.9, 0.2],
    [["0.5", "unet=2"], 2, 0.5],
    [["te=0.5"], 0.5, 0.5],
  ])("%j", (items, weight, textWeight) => {
    expect(read(...items)).toEqual({ strength: { weight, textWeight }, ignored: [] });
  });

  it("may have blocks", () => {
    for (const items of [
      ["0.8", "lbw=OUTALL"],
      ["0.8", "0.8", "lbw=OUTALL"],
      ["0.8", "OUTALL"],
      ["0.8", "0.8", "w=OUTALL"],
    ]) {
      expect(read(...items).strength).toEqual({
        weight: 0.8,
        textWeight: 0.8,
        blocks: { kind: "preset", name: "OUTALL" },
      });
    }
    expect(read("1", "1,0,0.5").strength.blocks).toEqual({ kind: "list", factors: [1, 0, 0.5] });
    const named = read("down=0.5,up=2").strength;
    expect(named.weight).toBe(1);
    expect(blockFactors(named.blocks!, ["down_blocks.0.x", "up_blocks.0.x"]).layer("up_blocks.0.x")).toBe(2);
  });

  it("may change with the steps", () => {
    const over = (...items: string[]): number[] => [0, 1, 2, 3].map((i) => read(...items).strength.steps!.at(i, 4));
    expect(over("0.8@0-50%,0.1@50-100%")).toEqual([0.8, 0.8, 0.1, 0.1]);
    expect(read("0.8@0-50%").strength).toMatchObject({ weight: 0.8, textWeight: 0.8 });
    expect(read("0.8@50-100%").strength).toMatchObject({ weight: 0, textWeight: 0 });
    expect(over("0.8", "start=3")).toEqual([0, 0, 0.8, 0.8]);
    expect(over("0.8", "0.5", "stop=3")).toEqual([0.5, 0.5, 0, 0]);
    expect(over("0.8", "step=2-4")).toEqual([0, 0.8, 0.8, 0]);
  });

  it("tells what has no effect", () => {
    expect(read("1", "1", "8", "lbwe=ATTNDEEPON", "x=2").ignored).toEqual(["8", "lbwe=ATTNDEEPON", "x=2"]);
    expect(read("1", "dyn=8").ignored).toEqual(["dyn=8"]);
  });

  it.each([
    [["strong"], 'x: the weight "strong" must be a number, such as 0.8.'],
    [[""], 'x: the weight "" must be a number'],
    [["NaN"], 'x: the weight "NaN" must be a number'],
    [["1e999"], 'x: the weight "1e999" must be a number'],
    [["te="], 'x: the weight "" must be a number'],
    [["1", "start=soon"], 'x: the step "soon" must be a number, such as 3.'],
    [["1", "OUTSIDE"], '"OUTSIDE" are no block weights'],
    [["1@0-50%", "start=3"], "x: the weight says already in which steps it counts; leave start, stop and step out."],
  ])("%j is refused", (items, sentence) => {
    expect(() => read(...items)).toThrow(sentence);
  });
});
