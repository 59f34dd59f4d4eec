import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { trainBpe, trainTokenizerFiles } from "./bpe-trainer.ts";
import { loadClipTokenizer } from "./clip-tokenizer.ts";

const folder = "test/fixtures/tokenizer";
const captions = readFileSync(`${folder}/captions.txt`, "utf8").trimEnd().split("\n");
const options = { vocabularySize: 700, minimumCount: 3, maxLength: 16 };

describe("trainBpe", () => {
  it("merges the most frequent pair first, ties in the order of their letters", () => {
    // "low" 5 times, "lot" 2: lo 7, then l-o-w: low 5, then lot 2.
    const words = [...Array<string>(5).fill("low"), ...Array<string>(2).fill("lot")];
    expect(trainBpe(words, { ...options, minimumCount: 1 })).toEqual([
      ["l", "o"],
      ["lo", "w</w>"],
      ["lo", "t</w>"],
    ]);
    expect(trainBpe(["ba", "ab"], { ...options, minimumCount: 1 })).toEqual([
      ["a", "b</w>"],
      ["b", "a</w>"],
    ]);
    expect(trainBpe(["ab", "cd", "cd"], options)).toEqual([]);
  });

  it("counts a pair that overlaps itself", () => {
    expect(trainBpe(["aaaaa"], { ...options, minimumCount: 1 })).toEqual([
      ["a", "a"],
      ["aa", "a</w>"],
      ["aa", "aaa</w>"],
    ]);
  });

  it("stops at the size of the vocabulary", () => {
    expect(trainBpe(captions, { ...options, vocabularySize: 520 }).length).toBe(6);
    expect(() => trainBpe(captions, { ...options, vocabularySize: 513 })).toThrow("at least 514 tokens, but 513");
  });
});

describe("trainTokenizerFiles", () => {
  const files = trainTokenizerFiles(captions, options);

  it("gives the same files each time, those that transformers opened", () => {
    for (const [name, text] of Object.entries(files)) {
      expect(text).toBe(readFileSync(`${folder}/tiny/${name}`, "utf8"));
    }
  });

  it("numbers bytes, end bytes, merges and special tokens in CLIP's order", () => {
    const vocabulary = JSON.parse(files["vocab.json"]) as Record<string, number>;
    // Sorted by number, since JavaScript moves keys such as "7" to the front.
    const tokens = Object.keys(vocabulary).sort((a, b) => vocabulary[a]! - vocabulary[b]!);
    expect(tokens.map((token) => vocabulary[token])).toEqual(tokens.map((_, id) => id));
    expect([tokens[0], tokens[93], tokens[94], tokens[256], tokens[511]]).toEqual(["!", "~", "¡", "!</w>", "Ń</w>"]);
    expect(tokens.slice(-2)).toEqual(["<|startoftext|>", "<|endoftext|>"]);
  });

  it("makes frequent words single tokens", () => {
    const tokenizer = loadClipTokenizer(files);
    for (const word of ["apple", "style", "watercolour", "birthday", "with"]) {
      expect(tokenizer.encode(word)).toHaveLength(1);
    }
    expect(tokenizer.encode("Red Apple, flat style")).toHaveLength(5);
  });
});
