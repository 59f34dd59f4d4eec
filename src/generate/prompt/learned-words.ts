import { UsageError } from "../../errors.ts";
import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";

/** A word that stands for vectors of its own in a prompt: textual inversion. */
export interface LearnedWord {
  readonly word: string;
  /** What errors call its origin. */
  readonly file: string;
  /** One list of vectors for each of the model's text encoders. */
  readonly vectors: readonly (readonly Float32Array[])[];
}

/** The learned words of one text encoder. */
export interface EncoderWords {
  /** Token numbers beyond the vocabulary that a word stands for, by the word in lower case. */
  readonly ids: ReadonlyMap<string, readonly number[]>;
  /** Vectors `[width]` by these numbers. */
  readonly vectors: ReadonlyMap<number, Float32Array>;
  /** Finds the words in a text; undefined when there are none. */
  readonly pattern: RegExp | undefined;
}

/**
 * Numbers the vectors of learned words from `firstId` on.
 * @param encoder which of a word's lists to take, 0 or 1
 * @throws UsageError when two files bring one word
 */
export function encoderWords(words: readonly LearnedWord[], encoder: number, firstId: number): EncoderWords {
  const ids = new Map<string, readonly number[]>();
  const vectors = new Map<number, Float32Array>();
  const files = new Map<string, string>();
  let next = firstId;
  for (const { word, file, vectors: lists } of words) {
    const key = word.toLowerCase();
    const other = files.get(key);
    if (other !== undefined) {
      throw new UsageError(
        `${file}: the word "${word}" comes from ${other} already; name one otherwise with FILE:word.`,
      );
    }
    files.set(key, file);
    const list = lists[encoder] ?? [];
    ids.set(
      key,
      list.map((_, i) => next + i),
    );
    for (const vector of list) vectors.set(next++, vector);
  }
  return { ids, vectors, pattern: patternOf([...ids.keys()]) };
}

/** Letters and digits beside a word make it another word. */
function patternOf(words: readonly string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  const longestFirst = words.toSorted((a, b) => b.length - a.length);
  const alternatives = longestFirst.map((word) => {
    const escaped = word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    const before = /^[\p{L}\p{N}_]/u.test(word) ? "(?<![\\p{L}\\p{N}_])" : "";
    const after = /[\p{L}\p{N}_]$/u.test(word) ? "(?![\\p{L}\\p{N}_])" : "";
    return before + escaped + after;
  });
  return new RegExp(alternatives.join("|"), "giu");
}

/** Tokens of a text: one number for each of the vocabulary, all numbers together for a learned word. */
export function tokenGroups(text: string, tokenizer: ClipTokenizer, words: EncoderWords): (readonly number[])[] {
  if (words.pattern === undefined) return tokenizer.encode(text).map((id) => [id]);
  const groups: (readonly number[])[] = [];
  let from = 0;
  const known = (part: string): void => {
    for (const id of tokenizer.encode(part)) groups.push([id]);
  };
  for (const { 0: word, index } of text.matchAll(words.pattern)) {
    known(text.slice(from, index));
    groups.push(words.ids.get(word.toLowerCase()) ?? []);
    from = index + word.length;
  }
  known(text.slice(from));
  return groups;
}

/** The text without learned words. */
export function withoutLearnedWords(text: string, words: EncoderWords): string {
  return words.pattern === undefined ? text : text.replace(words.pattern, " ");
}
