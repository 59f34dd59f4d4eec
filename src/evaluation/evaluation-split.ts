import { FormatError, UsageError } from "../errors.ts";
import { field, integerField, type JsonObject, parseJsonObject } from "../formats/json.ts";
import { counterPermutation } from "../tensor/random/counter.ts";
import { plainCaption } from "../training/data/captions.ts";
import type { PictureEntry, PictureSet } from "../training/data/picture-set.ts";
import { leastPictures } from "./frechet.ts";

/** Which pictures of a set lend their captions, and which give the statistics of real pictures, by their names in the set. */
export interface EvaluationSplit {
  readonly seed: number;
  /** In the order in which they are drawn: a smaller evaluation takes the first ones. */
  readonly drawn: readonly string[];
  readonly real: readonly string[];
}

/** Share of a set without held-out pictures whose captions are drawn. */
const drawnShare = 0.1;

/**
 * Splits a set: the pictures that it holds out lend their captions, or else a tenth that follows from the seed; all pictures
 * give the statistics. Both orders follow from the seed.
 */
export function splitSet({ entries }: PictureSet, seed: number): EvaluationSplit {
  const order = (some: readonly PictureEntry[], stream: string): string[] =>
    Array.from(counterPermutation(seed, stream, 0, some.length), (i) => some[i]!.name);
  const heldOut = entries.filter(({ split }) => split === "heldout");
  const chosen = new Set(order(entries, "held out").slice(0, Math.ceil(drawnShare * entries.length)));
  const drawn = heldOut.length > 0 ? heldOut : entries.filter(({ name }) => chosen.has(name));
  return { seed, drawn: order(drawn, "drawn"), real: order(entries, "real") };
}

/** A split as a file. */
export function encodeSplit({ seed, drawn, real }: EvaluationSplit): string {
  return `${JSON.stringify({ seed, drawn, real }, undefined, 1)}\n`;
}

/** Reads what `encodeSplit` wrote. @throws FormatError naming the file and the key */
export function decodeSplit(text: string, file: string): EvaluationSplit {
  const json = parseJsonObject(text, file);
  return {
    seed: integerField(json, "seed", file),
    drawn: namesUnder(json, "drawn", file),
    real: namesUnder(json, "real", file),
  };
}

function namesUnder(json: JsonObject, key: string, file: string): string[] {
  const names = field(json, key);
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names as string[];
  throw new FormatError(`${file}: "${key}" must be a list of names of pictures.`);
}

/** Pictures of a set by a split. */
export interface SplitPictures {
  readonly drawn: readonly PictureEntry[];
  readonly captions: readonly string[];
  readonly real: readonly PictureEntry[];
}

/** How much of a split is used; all unless told. */
export interface SplitLimits {
  /** Captions. */
  readonly captions?: number;
  /** Pictures of each caption. */
  readonly perCaption: number;
  /** Real pictures. */
  readonly real?: number;
}

/**
 * Finds a split's pictures, or its first ones.
 * @throws UsageError in one sentence when one is not in the set, a caption is empty, or there are too few for a distance
 */
export function splitPictures(set: PictureSet, split: EvaluationSplit, limits: SplitLimits): SplitPictures {
  const byName = new Map(set.entries.map((entry) => [entry.name, entry]));
  const find = (names: readonly string[]): PictureEntry[] =>
    names.map((name) => {
      const entry = byName.get(name);
      if (entry !== undefined) return entry;
      throw new UsageError(`${set.place} has no picture ${name}, which the split names; give the split of this set.`);
    });
  const drawn = find(split.drawn.slice(0, limits.captions));
  const real = find(split.real.slice(0, limits.real));
  const captions = drawn.map((entry) => {
    const caption = plainCaption(entry).trim();
    if (caption !== "") return caption;
    throw new UsageError(`${entry.name}: its caption is empty; a picture is drawn from words.`);
  });
  const counts = [real.length, drawn.length * limits.perCaption];
  counts.forEach((count, i) => {
    if (count >= leastPictures) return;
    throw new UsageError(
      `A Frechet distance needs at least ${leastPictures} pictures in each set, but ${["real", "drawn"][i]} are ${count}; some hundreds give a steady number.`,
    );
  });
  return { drawn, captions, real };
}
