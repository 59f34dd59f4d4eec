/**
 * CLIP's (and GPT-2's) alphabet: one printable character for each byte, so that vocabulary files hold no control characters.
 *
 * Bytes that are printable in Latin-1 stand for themselves; the other 68 take the code points from 256 on, in rising order.
 */
const printable: readonly (readonly [number, number])[] = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
];

/** The 256 characters in the order in which CLIP's vocabulary numbers them. */
export const byteAlphabet: readonly string[] = buildAlphabet().map(([, character]) => character);

const characterOfByte: readonly string[] = buildAlphabet()
  .sort(([a], [b]) => a - b)
  .map(([, character]) => character);

const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  characterOfByte.map((character, byte) => [character, byte]),
);

function buildAlphabet(): [number, string][] {
  const alphabet: [number, string][] = [];
  for (const [first, last] of printable) {
    for (let byte = first; byte <= last; byte++) alphabet.push([byte, String.fromCodePoint(byte)]);
  }
  const known = new Set(alphabet.map(([byte]) => byte));
  for (let byte = 0, next = 256; byte < 256; byte++) {
    if (!known.has(byte)) alphabet.push([byte, String.fromCodePoint(next++)]);
  }
  return alphabet;
}

/** The UTF-8 bytes of a text, each as its character of the alphabet. */
export function toByteCharacters(text: string): string {
  let result = "";
  for (const byte of new TextEncoder().encode(text)) result += characterOfByte[byte];
  return result;
}

/** The text whose bytes these characters are; bytes that are no valid UTF-8 become U+FFFD, characters of no byte vanish. */
export function fromByteCharacters(characters: string): string {
  const bytes: number[] = [];
  for (const character of characters) {
    const byte = byteOfCharacter.get(character);
    if (byte !== undefined) bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
