import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, UsageError } from "../errors.ts";
import { isPictureName, type MetadataRow, parseMetadata } from "../training/data/metadata.ts";
import type { PictureEntry, PictureSet, SkippedPicture } from "../training/data/picture-set.ts";

/** Files below a folder with `/` between the parts of their paths, sorted; hidden ones and linked folders left out. */
async function listFiles(root: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await listFiles(root, path)));
    // A link to a file is a file (download caches consist of them); a link to a folder could lead in circles.
    else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(join(root, path))))) found.push(path);
  }
  return found.sort();
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The rows of every metadata.jsonl, by the picture's path below the root; the nearest file to a picture wins. */
async function readMetadata(root: string, files: readonly string[]): Promise<Map<string, MetadataRow>> {
  const rows = new Map<string, MetadataRow>();
  const metadataFiles = files.filter((path) => path.split("/").at(-1) === "metadata.jsonl");
  metadataFiles.sort((a, b) => a.split("/").length - b.split("/").length);
  for (const path of metadataFiles) {
    const folder = path.slice(0, -"metadata.jsonl".length);
    for (const row of parseMetadata(await readFile(join(root, path), "utf8"), path)) {
      rows.set(folder + row.fileName, row);
    }
  }
  return rows;
}

/**
 * Opens a folder of pictures with captions.
 *
 * A picture's caption is its row of a `metadata.jsonl` (as in Hugging Face image folders: in this folder or one below), or
 * else the text file beside it (`fox.png`, `fox.txt`). Pictures without a caption, and rows without a picture, are skipped
 * and named; pictures are not decoded yet.
 * @throws UsageError when the folder cannot be listed.
 * @throws FormatError when a metadata.jsonl is malformed.
 */
export async function openPictureFolder(root: string): Promise<PictureSet> {
  let files: string[];
  try {
    files = await listFiles(root);
  } catch (cause) {
    throw new UsageError(`the picture folder ${root} cannot be read (${(cause as Error).message})`, { cause });
  }
  const present = new Set(files);
  const rows = await readMetadata(root, files);
  const entries: PictureEntry[] = [];
  const skipped: SkippedPicture[] = [];
  for (const name of files.filter(isPictureName)) {
    const read = (): Promise<Uint8Array> => readPicture(root, name);
    const row = rows.get(name);
    const textFile = name.replace(/\.[^.]+$/, ".txt");
    if (row !== undefined) {
      const { fileName: _, ...record } = row;
      entries.push({ name, ...record, read });
    } else if (present.has(textFile)) {
      const text = (await readFile(join(root, textFile), "utf8")).trim();
      if (text === "") skipped.push({ name, reason: `${textFile} is empty` });
      else entries.push({ name, text, read });
    } else skipped.push({ name, reason: "it has no caption" });
  }
  for (const name of rows.keys()) {
    if (!present.has(name)) skipped.push({ name, reason: "metadata.jsonl names it, but there is no such file" });
    else if (!isPictureName(name)) skipped.push({ name, reason: "it is not a PNG, JPEG or WebP" });
  }
  return { place: root, entries, skipped };
}

async function readPicture(root: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(root, name));
  } catch (cause) {
    throw new FormatError(`${name}: the picture cannot be read (${(cause as Error).message}).`, { cause });
  }
}
