import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { splitTokenizerJson } from "./tokenizer-json.ts";

const folder = "test/fixtures/tokenizer/tiny";
const whole = readFileSync("test/fixtures/diffusers-folder/model/tokenizer/tokenizer.json", "utf8");

describe("splitTokenizerJson", () => {
  it("gives the two files that transformers wrote before", () => {
    const files = splitTokenizerJson(whole);
    expect(JSON.parse(files["vocab.json"])).toEqual(JSON.parse(readFileSync(`${folder}/vocab.json`, "utf8")));
    const merges = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(merges(files["merges.txt"])).toEqual(merges(readFileSync(`${folder}/merges.txt`, "utf8")));
  });

  it("reads merges that are joined with a space, and tokens that only the added ones list", () => {
    const model = { type: "BPE", end_of_word_suffix: "</w>", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"] };
    const added_tokens = [{ content: "<new>", id: 3 }];
    const files = splitTokenizerJson(JSON.stringify({ model, added_tokens }));
    expect(files["merges.txt"]).toBe("#version: 0.2\na b\n");
    expect(JSON.parse(files["vocab.json"])).toEqual({ a: 0, b: 1, ab: 2, "<new>": 3 });
  });

  it.each([
    [{}, '"model" must be an object, but it is missing'],
    [{ model: { type: "Unigram" } }, '"model.type" must be "BPE", but it is the text "Unigram"'],
    [{ model: { type: "BPE" } }, '"model.end_of_word_suffix" must be "</w>"'],
    [{ model: { type: "BPE", end_of_word_suffix: "</w>", vocab: {}, merges: [["a"]] } }, "must be two texts"],
  ])("refuses %j", (json, message) => {
    expect(() => splitTokenizerJson(JSON.stringify(json))).toThrow(message);
  });
});
