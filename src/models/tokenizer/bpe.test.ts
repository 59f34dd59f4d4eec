import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytePairParts, type MergeRanks, mergePair, wordCharacters } from "./bpe.ts";
import { trainBpe } from "./bpe-trainer.ts";

/** The definition: the pair of the lowest rank is merged wherever it stands, until none has a rank. */
function byDefinition(word: string, ranks: MergeRanks): string[] {
  let parts = wordCharacters(word);
  for (;;) {
    const pairs = parts.slice(1).map((second, at) => [parts[at]!, second] as const);
    const ranked = pairs.filter(([a, b]) => ranks.has(`${a} ${b}`));
    ranked.sort(([a, b], [c, d]) => ranks.get(`${a} ${b}`)! - ranks.get(`${c} ${d}`)!);
    const [best] = ranked;
    if (best === undefined) return parts;
    parts = mergePair(parts, ...best);
  }
}

describe("bytePairParts", () => {
  const words = ["abab", "abcab", "aab", "bbba", "cabab", "aaaa", "ccb", "abc"];
  const merges = trainBpe(words, { vocabularySize: 1000, minimumCount: 1, maxLength: 77 });
  const ranks = new Map(merges.map((pair, rank) => [pair.join(" "), rank]));

  it("merges as the definition says", () => {
    expect(bytePairParts("", ranks)).toEqual([]);
    expect(bytePairParts("z", ranks)).toEqual(["z</w>"]);
    fc.assert(
      fc.property(fc.stringMatching(/^[abcz]{0,40}$/), (word) => {
        expect(bytePairParts(word, ranks)).toEqual(byDefinition(word, ranks));
      }),
    );
  });

  it("makes each word of its training one part, when it may merge single pairs", () => {
    for (const word of words) expect(bytePairParts(word, ranks)).toEqual([`${word}</w>`]);
  });

  it("takes a word of a hundred thousand letters", () => {
    const long = "abcab".repeat(20_000);
    expect(bytePairParts(long, ranks).join("")).toBe(`${long}</w>`);
  });
});
