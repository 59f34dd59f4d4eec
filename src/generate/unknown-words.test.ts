import { describe, expect, it } from "vitest";
import { trainTokenizerFiles } from "../models/tokenizer/bpe-trainer.ts";
import { loadClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import { unknownWords } from "./unknown-words.ts";

const trained = { vocabularySize: 600, minimumCount: 1, maxLength: 20 };
const tokenizer = loadClipTokenizer(trainTokenizerFiles(["a red apple", "an ox on a plate"], trained));

describe("unknownWords", () => {
  it("names each word that falls to pieces, once", () => {
    expect(unknownWords(tokenizer, "A Zebra and a red zebra, it")).toEqual(["zebra", "and", "it"]);
  });

  it("is silent about words that the vocabulary has, numbers and signs", () => {
    expect(unknownWords(tokenizer, "a red apple on an OX plate, 4-step!")).toEqual(["step"]);
    expect(unknownWords(tokenizer, "")).toEqual([]);
  });

  it("is silent about vocabularies of the usual size, whose words may take several tokens", () => {
    const large = tokenizer.withTokens(Array.from({ length: 20000 }, (_, i) => `<extra-${i}>`));
    expect(unknownWords(large, "zebra")).toEqual([]);
  });
});
