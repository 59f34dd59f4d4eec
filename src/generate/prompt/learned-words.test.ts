import { describe, expect, it } from "vitest";
import { trainTokenizerFiles } from "../../models/tokenizer/bpe-trainer.ts";
import { loadClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { encoderWords, type LearnedWord, tokenGroups, withoutLearnedWords } from "./learned-words.ts";
import { fillWindows } from "./windows.ts";

const tokenizer = loadClipTokenizer(
  trainTokenizerFiles(["a red apple"], { vocabularySize: 540, minimumCount: 1, maxLength: 77 }),
);
const [a, red, apple] = tokenizer.encode("a red apple") as [number, number, number];
const vector = (x: number): Float32Array => Float32Array.of(x);
const word = (name: string, ...numbers: readonly number[]): LearnedWord => ({
  word: name,
  file: `${name}.pt`,
  vectors: [numbers.map(vector), numbers.map((x) => vector(-x))],
});
const words = encoderWords([word("<krk>", 1), word("pear", 2, 3), word("<krk>-two", 4)], 0, 1000);

describe("encoderWords", () => {
  it("numbers vectors beyond the vocabulary, for each encoder its own", () => {
    expect([...words.ids]).toEqual([
      ["<krk>", [1000]],
      ["pear", [1001, 1002]],
      ["<krk>-two", [1003]],
    ]);
    expect(words.vectors.get(1002)).toEqual(vector(3));
    expect(encoderWords([word("pear", 2, 3)], 1, 50).vectors.get(51)).toEqual(vector(-3));
  });

  it("refuses two files for one word", () => {
    const twice = [word("pear", 1), { ...word("PEAR", 2), file: "other.pt" }];
    expect(() => encoderWords(twice, 0, 0)).toThrow('other.pt: the word "PEAR" comes from pear.pt already');
  });
});

describe("tokenGroups", () => {
  it.each([
    ["a <krk> apple", [[a], [1000], [apple]]],
    ["a <KRK><krk> Pear", [[a], [1000], [1000], [1001, 1002]]],
    ["a red <krk>-two", [[a], [red], [1003]]],
    ["red,pear", [[red], tokenizer.encode(","), [1001, 1002]]],
  ])("finds learned words in %j", (text, groups) => expect(tokenGroups(text, tokenizer, words)).toEqual(groups));

  it("takes no part of another word for one", () => {
    const known = (text: string): number[][] => tokenizer.encode(text).map((id) => [id]);
    for (const text of ["pears", "spear", "pear_2"]) expect(tokenGroups(text, tokenizer, words)).toEqual(known(text));
  });

  it("keeps a word's vectors in one window", () => {
    const line = [{ text: "a red apple pear", weight: 1.5 }];
    const [first, second] = fillWindows(line, { tokenizer, words, length: 6, keepPhrases: true });
    const { bosId, eosId } = tokenizer;
    expect(first).toMatchObject({ ids: [bosId, a, red, apple, eosId, eosId], weights: [1, 1.5, 1.5, 1.5, 1, 1] });
    expect(second).toMatchObject({ ids: [bosId, 1001, 1002, eosId, eosId, eosId], weights: [1, 1.5, 1.5, 1, 1, 1] });
  });
});

describe("withoutLearnedWords", () => {
  it("leaves the other words", () => {
    expect(withoutLearnedWords("a <krk> apple, spear", words)).toBe("a   apple, spear");
  });
});
