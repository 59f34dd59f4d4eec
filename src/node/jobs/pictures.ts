import { createHash } from "node:crypto";
import { UsageError } from "../../errors.ts";
import type { CommonConfig } from "../../training/config/common.ts";
import { describeSkipped, type PictureSet, pictureSplit } from "../../training/data/picture-set.ts";
import { type CheckedPicture, checkPictures } from "../check-pictures.ts";
import { openPictures } from "../open-pictures.ts";
import { type JobContext, reportTo } from "./context.ts";

/** The pictures of a run, each of which was decoded once. */
export interface TrainingPictures {
  readonly entries: readonly CheckedPicture[];
  /** SHA-256 of the pictures' files, captions and order: all of the set that a run's numbers depend on. */
  readonly key: string;
}

/**
 * Opens the sets that a config names, takes their split and leaves out the pictures that cannot be decoded.
 * @throws UsageError when a set cannot be opened, or no picture is left.
 * @throws FormatError when a metadata.jsonl or a shard is damaged.
 */
export async function openTrainingPictures(config: CommonConfig, context: JobContext): Promise<TrainingPictures> {
  const { data, split, size } = config;
  const places = typeof data === "string" ? [data] : data;
  const sets: PictureSet[] = [];
  for (const place of places) sets.push(takeSplit(await openPictures(place), split));
  const joined: PictureSet = {
    place: places.join(", "),
    entries: sets.flatMap(({ entries }) => entries),
    skipped: sets.flatMap(({ skipped }) => skipped),
  };
  const report = reportTo(context, "checking pictures");
  const { entries, skipped } = await checkPictures(joined, { width: size, height: size }, report);
  if (skipped.length > 0) context.onNotice(describeSkipped(skipped));
  context.onNotice(`${entries.length.toLocaleString("en")} pictures of ${joined.place}`);
  return { entries, key: keyOf(entries) };
}

function takeSplit(set: PictureSet, split: string): PictureSet {
  const part = pictureSplit(set, split);
  if (part.entries.length > 0) return part;
  const known = [...new Set(set.entries.map((entry) => entry.split ?? "train"))].map((name) => `"${name}"`);
  throw new UsageError(`${set.place} has no picture in the split "${split}"; its splits are ${known.join(", ")}`);
}

function keyOf(entries: readonly CheckedPicture[]): string {
  const key = createHash("sha256");
  for (const { hash, text, subject, synonyms, style } of entries) {
    key.update(`${JSON.stringify([hash, text, subject, synonyms, style])}\n`);
  }
  return key.digest("hex");
}
