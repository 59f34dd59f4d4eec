import { FormatError, UsageError } from "../../errors.ts";
import { bytePairParts, endOfWord, type MergeRanks } from "./bpe.ts";
import { fromByteCharacters } from "./byte-alphabet.ts";
import { normalizeText, splitWords } from "./clip-words.ts";
import {
  parseMerges,
  parseSettings,
  parseVocabulary,
  type SpecialTokens,
  type TokenizerFiles,
  type TokenizerSettings,
} from "./tokenizer-files.ts";

/** Numbers for a text encoder: begin, words, end, padding. */
export interface PaddedTokens {
  /** `length` numbers. */
  readonly ids: readonly number[];
  /** How many of them, from the front, are not padding. */
  readonly used: number;
  /** What did not fit, as a text; empty when everything did. */
  readonly dropped: string;
}

/** Turns texts into numbers exactly as transformers' `CLIPTokenizer`. */
export class ClipTokenizer {
  /** Numbers from 0 to this, exclusive, may occur. */
  readonly size: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  readonly unkId: number;
  readonly special: SpecialTokens;
  /** The length that the text encoder takes. */
  readonly maxLength: number;
  private readonly vocabulary: ReadonlyMap<string, number>;
  private readonly tokens: ReadonlyMap<number, string>;
  private readonly ranks: MergeRanks;
  private readonly settings: TokenizerSettings;
  /** Special tokens that are taken out of a text as it is given. */
  private readonly rawTokens: WholeTokens;
  /** Special and added tokens that are taken out of the cleaned text. */
  private readonly cleanedTokens: WholeTokens;

  /** @throws FormatError when the vocabulary lacks a special token. */
  constructor(
    vocabulary: ReadonlyMap<string, number>,
    ranks: MergeRanks,
    settings: TokenizerSettings,
    added: readonly string[] = [],
  ) {
    const numbers = new Map(vocabulary);
    let next = 0;
    for (const id of numbers.values()) next = Math.max(next, id + 1);
    for (const token of added) if (!numbers.has(token)) numbers.set(token, next++);
    const idOf = (token: string): number => {
      const id = numbers.get(token);
      if (id === undefined) throw new FormatError(`vocab.json: the special token "${token}" is missing.`);
      return id;
    };
    const { special, foundCleaned } = settings;
    this.size = next;
    this.bosId = idOf(special.bos);
    this.eosId = idOf(special.eos);
    this.padId = idOf(special.pad);
    this.unkId = idOf(special.unk);
    this.special = special;
    this.maxLength = settings.maxLength;
    this.vocabulary = numbers;
    this.tokens = new Map(Array.from(numbers, ([token, id]) => [id, token]));
    this.ranks = ranks;
    this.settings = settings;
    const raw = Object.values(special).filter((token) => !foundCleaned.has(token));
    this.rawTokens = wholeTokens(new Map(raw.map((token) => [token, idOf(token)])));
    const cleaned = [...foundCleaned, ...added];
    this.cleanedTokens = wholeTokens(new Map(cleaned.map((token) => [normalizeText(token), idOf(token)])));
  }

  /** A tokenizer that also knows these tokens, numbered after all others; a text that holds one keeps it whole. */
  withTokens(added: readonly string[]): ClipTokenizer {
    return new ClipTokenizer(this.vocabulary, this.ranks, this.settings, added);
  }

  /** The numbers of a text's words, without begin, end and padding. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const piece of takeOut(text, this.rawTokens)) {
      if (typeof piece === "number") {
        ids.push(piece);
        continue;
      }
      for (const part of takeOut(normalizeText(piece), this.cleanedTokens)) {
        if (typeof part === "number") ids.push(part);
        else this.encodeWords(part, ids);
      }
    }
    return ids;
  }

  /**
   * The numbers of a text with begin and end, padded or cut to `length`.
   * @throws UsageError when `length` leaves no room for begin and end.
   */
  encodePadded(text: string, length: number = this.maxLength): PaddedTokens {
    if (length < 2) throw new UsageError(`a text needs room for at least 2 tokens, but the length is ${length}.`);
    const words = this.encode(text);
    const kept = words.slice(0, length - 2);
    const used = kept.length + 2;
    const padding = new Array<number>(length - used).fill(this.padId);
    return { ids: [this.bosId, ...kept, this.eosId, ...padding], used, dropped: this.decode(words.slice(kept.length)) };
  }

  /** The text of numbers, words parted by spaces; special tokens are left out. */
  decode(ids: readonly number[]): string {
    const left = new Set([this.bosId, this.eosId, this.padId]);
    const words: string[] = [];
    let word = "";
    for (const id of ids) {
      if (left.has(id)) continue;
      const token = this.tokens.get(id) ?? "";
      const ends = token.endsWith(endOfWord);
      word += ends ? token.slice(0, -endOfWord.length) : token;
      if (ends) {
        words.push(fromByteCharacters(word));
        word = "";
      }
    }
    if (word !== "") words.push(fromByteCharacters(word));
    return words.join(" ");
  }

  /** Whether a token is the last or only piece of a word. */
  endsWord(id: number): boolean {
    return this.tokens.get(id)?.endsWith(endOfWord) ?? false;
  }

  private encodeWords(cleaned: string, ids: number[]): void {
    for (const word of splitWords(cleaned)) {
      for (const part of bytePairParts(word, this.ranks)) ids.push(this.vocabulary.get(part) ?? this.unkId);
    }
  }
}

/**
 * A tokenizer from the texts of its files.
 * @throws FormatError when one of them is not what it should be.
 */
export function loadClipTokenizer(files: TokenizerFiles): ClipTokenizer {
  const vocabulary = parseVocabulary(files["vocab.json"]);
  return new ClipTokenizer(vocabulary, parseMerges(files["merges.txt"], vocabulary), parseSettings(files));
}

/** Tokens that a text keeps whole, with a pattern that finds the longest of them. */
interface WholeTokens {
  readonly ids: ReadonlyMap<string, number>;
  readonly pattern: RegExp | undefined;
}

function wholeTokens(ids: ReadonlyMap<string, number>): WholeTokens {
  if (ids.size === 0) return { ids, pattern: undefined };
  const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return { ids, pattern: new RegExp(escaped.join("|"), "g") };
}

/** The pieces of a text: numbers of whole tokens, and what lies between them. */
function takeOut(text: string, { ids, pattern }: WholeTokens): (string | number)[] {
  if (pattern === undefined) return [text];
  const pieces: (string | number)[] = [];
  let from = 0;
  for (const { 0: token, index } of text.matchAll(pattern)) {
    pieces.push(text.slice(from, index), ids.get(token)!);
    from = index + token.length;
  }
  pieces.push(text.slice(from));
  return pieces;
}
