import { createHash } from "node:crypto";
import { FormatError } from "../errors.ts";
import type { PictureSize } from "../training/data/crop.ts";
import {
  type PictureEntry,
  type PictureSet,
  requirePictures,
  type SkippedPicture,
} from "../training/data/picture-set.ts";
import { decodePicture } from "./decode-picture.ts";

/** A picture that was decoded once without an error, with the hash of its file. */
export interface CheckedPicture extends PictureEntry {
  /** SHA-256 of the picture's file, in hexadecimal. */
  readonly hash: string;
}

/** A set of which every picture can be decoded. */
export interface CheckedPictureSet extends PictureSet {
  readonly entries: readonly CheckedPicture[];
}

/**
 * Reads and decodes every picture once: those that fail are skipped and named, so that training meets no bad one.
 * @throws UsageError naming the place when no picture is left.
 */
export async function checkPictures(
  set: PictureSet,
  size: PictureSize,
  onProgress?: (done: number, total: number) => void,
): Promise<CheckedPictureSet> {
  const entries: CheckedPicture[] = [];
  const skipped: SkippedPicture[] = [...set.skipped];
  for (const [index, entry] of set.entries.entries()) {
    try {
      const bytes = await entry.read();
      await decodePicture(bytes, entry.name, { size });
      entries.push({ ...entry, hash: createHash("sha256").update(bytes).digest("hex") });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      skipped.push({ name: entry.name, reason: error.message });
    }
    onProgress?.(index + 1, set.entries.length);
  }
  const checked = { place: set.place, entries, skipped };
  requirePictures(checked);
  return checked;
}

/**
 * A key of the pictures' content and of whatever else the result depends on: the same files give the same key in any order,
 * under any name.
 * @returns SHA-256 in hexadecimal
 */
export function contentKey(hashes: Iterable<string>, settings: Readonly<Record<string, string | number>>): string {
  const key = createHash("sha256");
  for (const hash of [...hashes].sort()) key.update(`${hash}\n`);
  for (const name of Object.keys(settings).sort()) key.update(`${JSON.stringify([name, settings[name]])}\n`);
  return key.digest("hex");
}
