import { toByteCharacters } from "./byte-alphabet.ts";

// \p{White_Space} rather than \s: JavaScript's \s counts U+FEFF and leaves out U+0085, the tokenizer's does the reverse.
const whiteSpace = /\p{White_Space}+/gu;
const word = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/** CLIP's cleaning of a text: composed characters (NFC), single spaces, small letters. */
export function normalizeText(text: string): string {
  // Letter by letter: on a whole text, JavaScript would turn a sigma at the end of a word into its final form.
  return Array.from(text.normalize("NFC").replace(whiteSpace, " "), (letter) => letter.toLowerCase()).join("");
}

/** The words of a normalized text that byte pairs are merged within, each in characters of the byte alphabet. */
export function splitWords(normalized: string): string[] {
  const words: string[] = [];
  for (const [found] of normalized.matchAll(word)) {
    // What looks like a special token once it is cleaned, and is none, stands alone and is three words.
    if (found === "<|startoftext|>" || found === "<|endoftext|>") words.push("<|", found.slice(2, -2), "|>");
    else words.push(toByteCharacters(found));
  }
  return words;
}
