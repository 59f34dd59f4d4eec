import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { composeBatchCaptions } from "./batch-captions.ts";
import { composeCaption, plainCaption, withArticle } from "./captions.ts";

function numbers(...values: number[]): () => number {
  return () => values.shift() ?? Number.NaN;
}

describe("withArticle", () => {
  it.each([
    ["fox", "a fox"],
    ["owl", "an owl"],
    ["unicorn", "a unicorn"],
    ["hourglass", "an hourglass"],
    ["octopus", "an octopus"],
    ["cactus", "a cactus"],
    ["scissors", "scissors"],
    ["french fries", "french fries"],
    ["glasses", "glasses"],
    ["wine glass", "a wine glass"],
    ["stack of books", "a stack of books"],
    ["meat on a bone", "meat on a bone"],
    ["glass of milk", "a glass of milk"],
    ["popcorn", "popcorn"],
    ["ewe", "a ewe"],
    ["dice", "dice"],
  ])("gives %s as %s", (name, expected) => {
    expect(withArticle(name)).toBe(expected);
  });
});

describe("composeCaption", () => {
  const apple = { subject: "red apple", synonyms: ["apple"], style: "flat" };

  it("lets each number decide one part", () => {
    expect(composeCaption(apple, numbers(0.5, 0, 0.4, 0.5, 0.1))).toBe("a red apple, flat style");
    expect(composeCaption(apple, numbers(0.5, 0, 0.4, 0.5, 0.9))).toBe("a red apple in flat style");
    expect(composeCaption(apple, numbers(0.1, 0, 0.4, 0.5, 0.1))).toBe("an apple, flat style");
    expect(composeCaption(apple, numbers(0.5, 0, 0.6, 0.8, 0.1))).toBe("red apple");
  });

  it("draws five numbers whatever they decide", () => {
    for (const value of [0, 0.3, 0.9]) {
      let drawn = 0;
      composeCaption(apple, () => {
        drawn++;
        return value;
      });
      expect(drawn).toBe(5);
    }
  });

  it("gives a text as it stands", () => {
    expect(composeCaption({ text: "My own words" }, numbers())).toBe("My own words");
  });

  it("refuses a record without words", () => {
    expect(() => composeCaption({ style: "flat" }, numbers())).toThrow(UsageError);
  });

  it("has a plain form", () => {
    expect(plainCaption(apple)).toBe("a red apple, flat style");
  });
});

describe("composeBatchCaptions", () => {
  const records = Array.from({ length: 4000 }, () => ({ subject: "owl", synonyms: ["night bird"], style: "retro" }));

  it("depends on seed and step alone", () => {
    const few = records.slice(0, 20);
    expect(composeBatchCaptions(few, 1, 7, 0.1)).toEqual(composeBatchCaptions(few, 1, 7, 0.1));
    expect(composeBatchCaptions(few, 1, 8, 0.1)).not.toEqual(composeBatchCaptions(few, 1, 7, 0.1));
    expect(composeBatchCaptions(few, 2, 7, 0.1)).not.toEqual(composeBatchCaptions(few, 1, 7, 0.1));
  });

  it("keeps the shares of empty, styled and renamed captions", () => {
    const captions = composeBatchCaptions(records, 3, 0, 0.1);
    const full = captions.filter((caption) => caption !== "");
    const share = (wanted: RegExp): number => full.filter((caption) => wanted.test(caption)).length / full.length;
    expect(1 - full.length / captions.length).toBeCloseTo(0.1, 1);
    expect(Math.abs(share(/retro style/) - 0.75)).toBeLessThan(0.03);
    expect(Math.abs(share(/night bird/) - 0.2)).toBeLessThan(0.03);
    expect(Math.abs(share(/^an? /) - 0.5)).toBeLessThan(0.03);
  });
});
