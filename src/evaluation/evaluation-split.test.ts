import { describe, expect, it } from "vitest";
import type { PictureEntry, PictureSet } from "../training/data/picture-set.ts";
import { decodeSplit, encodeSplit, splitPictures, splitSet } from "./evaluation-split.ts";

function setOf(count: number, heldOut: readonly number[]): PictureSet {
  const entries = Array.from({ length: count }, (_, i): PictureEntry => {
    const split = heldOut.length === 0 ? {} : { split: heldOut.includes(i) ? "heldout" : "train" };
    return { name: `${i}.png`, text: `picture ${i}`, ...split, read: async () => new Uint8Array() };
  });
  return { place: "a set", entries, skipped: [] };
}

describe("the split of an evaluation", () => {
  it("draws the captions that the set holds out, and takes all pictures as real ones", () => {
    const split = splitSet(setOf(10, [2, 5, 7]), 1);
    expect([...split.drawn].sort()).toEqual(["2.png", "5.png", "7.png"]);
    expect(split.real).toHaveLength(10);
  });

  it("draws a tenth by the seed where the set holds nothing out", () => {
    const [a, b, c] = [splitSet(setOf(40, []), 1), splitSet(setOf(40, []), 1), splitSet(setOf(40, []), 2)];
    expect(a.drawn).toHaveLength(4);
    expect(a).toEqual(b);
    expect(a.drawn).not.toEqual(c.drawn);
  });

  it("comes back from its file", () => {
    const split = splitSet(setOf(10, [2, 5, 7]), 1);
    expect(decodeSplit(encodeSplit(split), "split.json")).toEqual(split);
    expect(() => decodeSplit("{}", "split.json")).toThrow('split.json: "seed"');
  });

  it("gives the first ones to a smaller evaluation", () => {
    const set = setOf(10, [2, 5, 7]);
    const split = splitSet(set, 1);
    const { drawn, captions, real } = splitPictures(set, split, { captions: 2, perCaption: 1, real: 4 });
    expect(drawn.map(({ name }) => name)).toEqual(split.drawn.slice(0, 2));
    expect(captions[0]).toBe(`picture ${split.drawn[0]!.replace(".png", "")}`);
    expect(real).toHaveLength(4);
  });
});
