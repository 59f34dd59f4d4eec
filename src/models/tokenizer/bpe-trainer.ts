import { UsageError } from "../../errors.ts";
import { endOfWord, mergePair, wordCharacters } from "./bpe.ts";
import { byteAlphabet } from "./byte-alphabet.ts";
import { normalizeText, splitWords } from "./clip-words.ts";
import { clipMaxLength, clipSpecialTokens, type TokenizerFiles } from "./tokenizer-files.ts";

/** What bounds a trained vocabulary. */
export interface BpeTrainingOptions {
  /** Tokens in all, with 512 for bytes and 2 special ones. */
  readonly vocabularySize: number;
  /** A pair that occurs less often than this is not merged. */
  readonly minimumCount: number;
  /** Written as `model_max_length`. */
  readonly maxLength: number;
}

export const defaultBpeTraining: BpeTrainingOptions = {
  vocabularySize: 4096,
  minimumCount: 2,
  maxLength: clipMaxLength,
};

/** Two neighbouring parts that become one. */
export type Merge = readonly [first: string, second: string];

interface CountedWord {
  parts: string[];
  readonly count: number;
}

/**
 * Trains byte-pair merges on captions: the most frequent neighbouring pair of parts is merged, again and again, so that
 * frequent words end as one token; ties go to the pair that sorts first, so the same captions give the same vocabulary.
 * @throws UsageError when the vocabulary has no room for the bytes and the special tokens.
 */
export function trainBpe(captions: Iterable<string>, options: BpeTrainingOptions = defaultBpeTraining): Merge[] {
  const reserved = 2 * byteAlphabet.length + 2;
  if (options.vocabularySize < reserved) {
    throw new UsageError(
      `a vocabulary needs at least ${reserved} tokens, but ${options.vocabularySize} were asked for.`,
    );
  }
  const words = countWords(captions);
  const pairs = new PairCounts(words);
  const merges: Merge[] = [];
  const made = new Set<string>();
  while (made.size < options.vocabularySize - reserved) {
    const best = pairs.mostFrequent();
    if (best === undefined || best.count < options.minimumCount) break;
    const [first, second] = best.parts;
    merges.push([first, second]);
    made.add(first + second);
    for (const index of [...best.words]) {
      const word = words[index]!;
      pairs.remove(index, word);
      word.parts = mergePair(word.parts, first, second);
      pairs.add(index, word);
    }
  }
  return merges;
}

/**
 * Trains a vocabulary on captions and gives the files of a CLIP tokenizer, which transformers' `CLIPTokenizer` opens.
 * @throws UsageError when the vocabulary has no room for the bytes and the special tokens.
 */
export function trainTokenizerFiles(
  captions: Iterable<string>,
  options: BpeTrainingOptions = defaultBpeTraining,
): Readonly<Record<keyof TokenizerFiles, string>> {
  const merges = trainBpe(captions, options);
  const { bos, eos, pad, unk } = clipSpecialTokens;
  const tokens = new Set(byteAlphabet);
  for (const character of byteAlphabet) tokens.add(character + endOfWord);
  for (const [first, second] of merges) tokens.add(`${first}${second}`);
  tokens.add(bos).add(eos);
  const entries = Array.from(tokens, (token, id) => `  ${JSON.stringify(token)}: ${id}`);
  const specialMap = { bos_token: bos, eos_token: eos, pad_token: pad, unk_token: unk };
  const config = { ...specialMap, model_max_length: options.maxLength, tokenizer_class: "CLIPTokenizer" };
  return {
    "vocab.json": `{\n${entries.join(",\n")}\n}\n`,
    "merges.txt": `#version: 0.2\n${merges.map((pair) => `${pair.join(" ")}\n`).join("")}`,
    "special_tokens_map.json": `${JSON.stringify(specialMap, null, 2)}\n`,
    "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}

function countWords(captions: Iterable<string>): CountedWord[] {
  const counts = new Map<string, number>();
  for (const caption of captions) {
    for (const word of splitWords(normalizeText(caption))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return Array.from(counts, ([word, count]) => ({ parts: wordCharacters(word), count }));
}

interface Pair {
  readonly parts: Merge;
  count: number;
  /** Indices of the words that hold the pair. */
  readonly words: Set<number>;
}

/** How often each neighbouring pair occurs over all words, kept up to date as words change. */
class PairCounts {
  private readonly pairs = new Map<string, Pair>();

  constructor(words: readonly CountedWord[]) {
    for (const [index, word] of words.entries()) this.add(index, word);
  }

  add(index: number, { parts, count }: CountedWord): void {
    for (let at = 0; at + 1 < parts.length; at++) {
      const [first, second] = [parts[at]!, parts[at + 1]!];
      const key = `${first} ${second}`;
      const pair = this.pairs.get(key) ?? { parts: [first, second], count: 0, words: new Set() };
      pair.count += count;
      pair.words.add(index);
      this.pairs.set(key, pair);
    }
  }

  remove(index: number, { parts, count }: CountedWord): void {
    for (let at = 0; at + 1 < parts.length; at++) {
      const key = `${parts[at]} ${parts[at + 1]}`;
      const pair = this.pairs.get(key);
      if (pair === undefined) continue;
      pair.count -= count;
      pair.words.delete(index);
      if (pair.count === 0) this.pairs.delete(key);
    }
  }

  mostFrequent(): Pair | undefined {
    let best: Pair | undefined;
    let bestKey = "";
    for (const [key, pair] of this.pairs) {
      if (best === undefined || pair.count > best.count || (pair.count === best.count && key < bestKey)) {
        best = pair;
        bestKey = key;
      }
    }
    return best;
  }
}
