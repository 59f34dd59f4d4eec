import { FormatError } from "../../errors.ts";
import { field, integerField, isJsonObject, type JsonValue, kindOf, parseJsonObject } from "../../formats/json.ts";
import type { MergeRanks } from "./bpe.ts";

/** The texts of a tokenizer folder as transformers writes them; the last two may be absent. */
export interface TokenizerFiles {
  readonly "vocab.json": string;
  readonly "merges.txt": string;
  readonly "special_tokens_map.json"?: string | undefined;
  readonly "tokenizer_config.json"?: string | undefined;
}

/** The tokens with a meaning of their own. */
export interface SpecialTokens {
  readonly bos: string;
  readonly eos: string;
  readonly pad: string;
  readonly unk: string;
}

export const clipSpecialTokens: SpecialTokens = {
  bos: "<|startoftext|>",
  eos: "<|endoftext|>",
  pad: "<|endoftext|>",
  unk: "<|endoftext|>",
};

/** Tokens that CLIP's text encoders of Stable Diffusion take, beginning and end included. */
export const clipMaxLength = 77;

/**
 * The vocabulary: token to number.
 * @throws FormatError when it is no JSON object of distinct numbers from 0 up.
 */
export function parseVocabulary(text: string): Map<string, number> {
  const name = "vocab.json";
  const object = parseJsonObject(text, name);
  const vocabulary = new Map<string, number>();
  const seen = new Set<number>();
  for (const token of Object.keys(object)) {
    const id = integerField(object, token, name);
    if (id < 0 || seen.has(id)) {
      throw new FormatError(`${name}: the number ${id} of "${token}" must be at least 0 and belong to no other token.`);
    }
    seen.add(id);
    vocabulary.set(token, id);
  }
  return vocabulary;
}

/**
 * The merges by rank: lines of two parts, after an optional first line that begins with `#version`.
 * @throws FormatError when a line has not two parts, or the vocabulary lacks what they make.
 */
export function parseMerges(text: string, vocabulary: ReadonlyMap<string, number>): MergeRanks {
  const ranks = new Map<string, number>();
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line === "" || (index === 0 && line.startsWith("#version"))) continue;
    const [first, second, ...rest] = line.split(" ");
    if (!first || !second || rest.length > 0) {
      throw new FormatError(
        `merges.txt: line ${index + 1} must be two parts with a space between, but it is "${line}".`,
      );
    }
    if (!vocabulary.has(first + second)) {
      throw new FormatError(`merges.txt: line ${index + 1} makes "${first + second}", which vocab.json lacks.`);
    }
    if (!ranks.has(line)) ranks.set(line, ranks.size);
  }
  return ranks;
}

/** What the two configuration files say. */
export interface TokenizerSettings {
  readonly special: SpecialTokens;
  /** The special tokens that are looked for in the cleaned text; the others must stand in a text letter by letter. */
  readonly foundCleaned: ReadonlySet<string>;
  readonly maxLength: number;
}

/**
 * What the two configuration files say, over CLIP's own values; the tokenizer's own configuration speaks last.
 * @throws FormatError when a special token or the length is not what it should be.
 */
export function parseSettings(files: TokenizerFiles): TokenizerSettings {
  const special = { ...clipSpecialTokens };
  const cleaned = { bos: false, eos: false, pad: false, unk: false };
  let maxLength = clipMaxLength;
  for (const name of ["special_tokens_map.json", "tokenizer_config.json"] as const) {
    const text = files[name];
    if (text === undefined) continue;
    const object = parseJsonObject(text, name);
    for (const key of ["bos", "eos", "pad", "unk"] as const) {
      const value = field(object, `${key}_token`);
      if (value === undefined || value === null) continue;
      special[key] = tokenContent(value, `${key}_token`, name);
      cleaned[key] = isJsonObject(value) && field(value, "normalized") === true;
    }
    if (field(object, "model_max_length") !== undefined) maxLength = integerField(object, "model_max_length", name);
  }
  const foundCleaned = new Set(Object.values(special));
  for (const key of ["bos", "eos", "pad", "unk"] as const) if (!cleaned[key]) foundCleaned.delete(special[key]);
  return { special, foundCleaned, maxLength };
}

/** A token is given as its text or as an object with its text as `content`. */
function tokenContent(value: JsonValue, key: string, name: string): string {
  const content = isJsonObject(value) ? field(value, "content") : value;
  if (typeof content === "string" && content !== "") return content;
  throw new FormatError(`${name}: "${key}" must be a text or an object with "content", but it is ${kindOf(content)}.`);
}
