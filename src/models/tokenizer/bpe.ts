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

/** The parts of a word: the neighbouring pair of the lowest rank is merged wherever it stands, until none has a rank. */
export function bytePairParts(word: string, ranks: MergeRanks): string[] {
  let parts = wordCharacters(word);
  while (parts.length > 1) {
    let best = Number.POSITIVE_INFINITY;
    let bestAt = -1;
    for (let at = 0; at + 1 < parts.length; at++) {
      const rank = ranks.get(`${parts[at]} ${parts[at + 1]}`) ?? Number.POSITIVE_INFINITY;
      if (rank < best) [best, bestAt] = [rank, at];
    }
    if (bestAt < 0) break;
    parts = mergePair(parts, parts[bestAt]!, parts[bestAt + 1]!);
  }
  return parts;
}
