import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ClipTokenizer, loadClipTokenizer } from "./clip-tokenizer.ts";
import type { TokenizerFiles } from "./tokenizer-files.ts";

const fixtures = "test/fixtures/tokenizer";
const shared = "../shared/data/clip";

type Row = [text: string, ids: number[]];
interface Reference {
  readonly madeWith: string;
  readonly plain: Row[];
  readonly padded: Row[];
  readonly padIsExclamation?: Row[];
  readonly added?: Row[];
}

function reference(name: string): Reference {
  return JSON.parse(readFileSync(`${fixtures}/${name}`, "utf8")) as Reference;
}

function readFiles(folder: string): TokenizerFiles {
  const read = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
  return {
    "vocab.json": read("vocab.json"),
    "merges.txt": read("merges.txt"),
    "special_tokens_map.json": read("special_tokens_map.json"),
    "tokenizer_config.json": read("tokenizer_config.json"),
  };
}

/** The texts that come out otherwise than in transformers. */
function differences(tokenizer: ClipTokenizer, rows: Row[]): unknown[] {
  return rows
    .map(([text, expected]) => {
      const received = [tokenizer.bosId, ...tokenizer.encode(text), tokenizer.eosId];
      return { text, expected: expected.join(" "), received: received.join(" ") };
    })
    .filter(({ expected, received }) => expected !== received);
}

function paddedDifferences(tokenizer: ClipTokenizer, rows: Row[]): unknown[] {
  return rows.filter(([text, ids]) => tokenizer.encodePadded(text, ids.length).ids.join() !== ids.join());
}

describe("a tiny vocabulary of our own, against transformers", () => {
  const tokenizer = loadClipTokenizer(readFiles(`${fixtures}/tiny`));
  const { plain, padded } = reference("tiny-vocabulary.json");

  it(`agrees on ${plain.length} texts`, () => {
    expect(differences(tokenizer, plain)).toEqual([]);
  });

  it("agrees on padding and truncation", () => {
    expect(tokenizer.maxLength).toBe(16);
    expect(paddedDifferences(tokenizer, padded)).toEqual([]);
  });

  it("tells what was dropped", () => {
    const { ids, used, dropped } = tokenizer.encodePadded("a red apple, flat style", 6);
    expect([ids.length, used, dropped]).toEqual([6, 6, "flat style"]);
    expect(tokenizer.encodePadded("a red apple", 6)).toMatchObject({ used: 5, dropped: "" });
    expect(() => tokenizer.encodePadded("a", 1)).toThrow(
      "a text needs room for at least 2 tokens, but the length is 1.",
    );
  });

  it("decodes what it encodes, up to spaces and capitals", () => {
    expect(tokenizer.decode(tokenizer.encodePadded("A RED  apple, 3D").ids)).toBe("a red apple , 3 d");
    const squeezed = (text: string): string =>
      text
        .normalize("NFC")
        .toLowerCase()
        .replace(/\p{White_Space}/gu, "");
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~À-ɏ一-丯]*$/), (text) => {
        expect(squeezed(tokenizer.decode(tokenizer.encode(text)))).toBe(squeezed(text));
      }),
    );
  });

  it("takes any text whatever", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const id of tokenizer.encode(text)) expect(id).toBeLessThan(tokenizer.size);
      }),
    );
  });
});

const reason = existsSync(shared) ? "" : ` (skipped: ${shared} is absent)`;
describe.skipIf(reason !== "")(`CLIP's own vocabulary, against transformers${reason}`, () => {
  const { plain, padded, padIsExclamation, added } = reference("clip-vocabulary.json");
  const load = (): ClipTokenizer => loadClipTokenizer(readFiles(shared));

  it(`agrees on ${plain.length} texts`, () => {
    expect(differences(load(), plain)).toEqual([]);
  });

  it("agrees on padding and truncation at 77", () => {
    expect(padded.length).toBeGreaterThan(10);
    expect(paddedDifferences(load(), padded)).toEqual([]);
  });

  it("agrees where the padding is an exclamation mark, as in SDXL's second encoder", () => {
    const files = { ...readFiles(shared), "tokenizer_config.json": '{"pad_token": "!"}' };
    expect(paddedDifferences(loadClipTokenizer(files), padIsExclamation ?? [])).toEqual([]);
  });

  it("agrees on added tokens", () => {
    expect(added?.length).toBe(3);
    expect(differences(load().withTokens(["<birb-style>", "Krk"]), added ?? [])).toEqual([]);
  });
});

describe("loadClipTokenizer refuses", () => {
  const good = readFiles(`${fixtures}/tiny`);
  const cases: [string, Partial<TokenizerFiles>, string][] = [
    ["a vocabulary that is no object", { "vocab.json": "[]" }, "vocab.json: a JSON object was expected"],
    ["a number given twice", { "vocab.json": '{"a":0,"b":0}' }, 'vocab.json: the number 0 of "b"'],
    ["a number that is none", { "vocab.json": '{"a":"x"}' }, 'vocab.json: "a" must be a whole number'],
    ["a merge of three parts", { "merges.txt": "#version: 0.2\na b c\n" }, "merges.txt: line 2 must be two parts"],
    ["a merge that makes nothing known", { "merges.txt": "q q\n" }, 'line 1 makes "qq", which vocab.json lacks'],
    [
      "a special token it lacks",
      { "tokenizer_config.json": '{"pad_token":"<pad>"}' },
      'the special token "<pad>" is missing',
    ],
    ["a special token that is a number", { "tokenizer_config.json": '{"bos_token":5}' }, '"bos_token" must be a text'],
  ];
  it.each(cases)("%s", (_, part, sentence) => {
    expect(() => loadClipTokenizer({ ...good, ...part })).toThrow(sentence);
  });
});
