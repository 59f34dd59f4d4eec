import type { ClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import { normalizeText } from "../models/tokenizer/clip-words.ts";

/** Published CLIP vocabularies have 49408 tokens: there, a word of several tokens is nothing unusual. */
const smallVocabulary = 16384;

/** A word that the vocabulary was made with takes one token, seldom two. */
const manyTokens = 3;

/**
 * The words of a prompt that a small vocabulary only has pieces of, so that the model has not been taught them; none for
 * vocabularies of the usual size.
 */
export function unknownWords(tokenizer: ClipTokenizer, prompt: string): readonly string[] {
  if (tokenizer.size > smallVocabulary) return [];
  const words = new Set(normalizeText(prompt).match(/[\p{L}\p{M}]+/gu) ?? []);
  return [...words].filter((word) => {
    const pieces = tokenizer.encode(word).length;
    return pieces >= manyTokens || (pieces > 1 && pieces === [...word].length);
  });
}
