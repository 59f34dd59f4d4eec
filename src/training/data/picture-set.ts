import { UsageError } from "../../errors.ts";
import type { CaptionRecord } from "./captions.ts";

/** What is known about one picture beside its pixels. */
export interface PictureRecord extends CaptionRecord {
  /** Name within the set: a path below its folder, or `shard.tar/member.png`. */
  readonly name: string;
  /** Part of the set, such as "train" or "heldout", where the set says so. */
  readonly split?: string;
}

/** One picture of a set, whose file is read only when asked for. */
export interface PictureEntry extends PictureRecord {
  /** The bytes of the picture's file. */
  read(): Promise<Uint8Array>;
}

/** A picture that cannot be used, and why. */
export interface SkippedPicture {
  readonly name: string;
  readonly reason: string;
}

/** Pictures with captions from one place, in the order of their names. */
export interface PictureSet {
  /** The folder or file that the user named. */
  readonly place: string;
  readonly entries: readonly PictureEntry[];
  readonly skipped: readonly SkippedPicture[];
}

/**
 * The set itself where it holds a picture.
 * @throws UsageError naming the place, the number of skipped pictures and the first of them.
 */
export function requirePictures(set: PictureSet): PictureSet {
  if (set.entries.length > 0) return set;
  const why = set.skipped.length === 0 ? "it holds no PNG, JPEG or WebP" : describeSkipped(set.skipped);
  throw new UsageError(
    `${set.place} has no picture to train on: ${why}; give pictures a metadata.jsonl, or a .txt caption each`,
  );
}

/** The entries of one split; entries without a split belong to "train". */
export function pictureSplit(set: PictureSet, split: string): PictureSet {
  return { ...set, entries: set.entries.filter((entry) => (entry.split ?? "train") === split) };
}

/** One line on what was skipped, naming up to three pictures; empty where none was. */
export function describeSkipped(skipped: readonly SkippedPicture[]): string {
  if (skipped.length === 0) return "";
  const named = skipped.slice(0, 3).map(({ name, reason }) => `${name} (${reason})`);
  const more = skipped.length > named.length ? ` and ${skipped.length - named.length} more` : "";
  return `skipped ${skipped.length} ${skipped.length === 1 ? "picture" : "pictures"}: ${named.join(", ")}${more}`;
}
