import { NumberHeap } from "./number-heap.ts";

/** What ends the last part of a word in a CLIP vocabulary. */
export const endOfWord = "</w>";

/** The rank of each merge, by its two parts joined with a space; parts hold no space. */
export type MergeRanks = ReadonlyMap<string, number>;

/** The single characters of a word, the last with the end-of-word mark. */
export function wordCharacters(word: string): string[] {
  const characters = Array.from(word);
  const last = characters.pop();
  return last === undefined ? [] : [...characters, last + endOfWord];
}

/** Joins every neighbouring `first`, `second` of a list into one, from the left. */
export function mergePair(parts: readonly string[], first: string, second: string): string[] {
  const merged: string[] = [];
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at]!;
    if (part === first && parts[at + 1] === second) {
      merged.push(first + second);
      at++;
    } else {
      merged.push(part);
    }
  }
  return merged;
}

/** Above the length of any word, so that a rank and a position make one number. */
const positions = 2 ** 26;

/**
 * The parts of a word: of all neighbouring pairs with a rank, the one of the lowest rank (of equals the leftmost) is
 * merged, until none is left. Takes n log n steps, since a text may be one word of any length.
 */
export function bytePairParts(word: string, ranks: MergeRanks): string[] {
  // A list linked by positions; a part that was merged into the one before it is undefined.
  const parts: (string | undefined)[] = wordCharacters(word);
  const next = parts.map((_, at) => at + 1);
  const previous = parts.map((_, at) => at - 1);
  const heap = new NumberHeap();
  const rankAt = (at: number): number | undefined => {
    const second = parts[next[at] ?? parts.length];
    return at < 0 || second === undefined ? undefined : ranks.get(`${parts[at]} ${second}`);
  };
  const offer = (at: number): void => {
    const rank = rankAt(at);
    if (rank !== undefined) heap.push(rank * positions + at);
  };
  for (const at of parts.keys()) offer(at);
  for (let least = heap.pop(); least !== undefined; least = heap.pop()) {
    const at = least % positions;
    // The pair that was offered here may be gone since.
    if (parts[at] === undefined || rankAt(at) !== Math.floor(least / positions)) continue;
    const merged = next[at]!;
    parts[at] += parts[merged]!;
    parts[merged] = undefined;
    next[at] = next[merged]!;
    if (next[at]! < parts.length) previous[next[at]!] = at;
    offer(at);
    offer(previous[at]!);
  }
  return parts.filter((part) => part !== undefined);
}
