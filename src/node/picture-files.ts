import { randomBytes } from "node:crypto";
import { constants, copyFile, link, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { writePngText } from "../formats/png-text.ts";
import type { Pixels } from "../generate/pixels.ts";

/** A picture as a PNG file with these texts. */
export async function encodePng(
  { width, height, data }: Pixels,
  texts: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return writePngText(png, texts);
}

/**
 * Makes the folder that pictures go into.
 * @throws UsageError when it cannot be made
 */
export async function makePictureFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new UsageError(`${folder}: the folder for pictures cannot be made (${codeOf(cause)}).`, { cause });
  }
}

/**
 * Writes a picture as `stem.png`, or `stem-2.png` and so on where pictures of that name exist: none is overwritten, also
 * when two programs write at once, and none is ever seen half written.
 * @returns the path
 * @throws UsageError when the folder cannot be written
 */
export async function writeNewPicture(folder: string, stem: string, png: Uint8Array): Promise<string> {
  const aside = join(folder, `.${stem}.${randomBytes(6).toString("hex")}.part`);
  try {
    await writeFile(aside, png, { flag: "wx" });
    for (let number = 1; ; number++) {
      const path = join(folder, number === 1 ? `${stem}.png` : `${stem}-${number}.png`);
      if (await takeName(aside, path)) return path;
    }
  } catch (cause) {
    throw new UsageError(`${folder}: the picture cannot be written (${codeOf(cause)}); check the folder.`, { cause });
  } finally {
    await rm(aside, { force: true });
  }
}

/** Gives a written file its name, unless another has it. */
async function takeName(aside: string, path: string): Promise<boolean> {
  try {
    // Unlike a rename, a link never replaces a file.
    await link(aside, path);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    // Some file systems have no links.
    try {
      await copyFile(aside, path, constants.COPYFILE_EXCL);
    } catch (second) {
      if (codeOf(second) === "EEXIST") return false;
      throw second;
    }
  }
  return true;
}

/** The beginning of a file's name for a prompt and a seed, e.g. `a-red-apple-42`. */
export function pictureStem(prompt: string, seed: number): string {
  const words =
    prompt
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    if (name !== "" && name.length + 1 + word.length > longestName) break;
    name = name === "" ? word.slice(0, longestName) : `${name}-${word}`;
  }
  return name === "" ? String(seed) : `${name}-${seed}`;
}

/** Letters of a prompt that go into a name. */
const longestName = 48;

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
}
