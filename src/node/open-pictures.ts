import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { type PictureSet, requirePictures } from "../training/data/picture-set.ts";
import { openPictureFolder } from "./picture-folder.ts";
import { openTarShards } from "./tar-shards.ts";

/**
 * Opens what a user names as a data set: a folder of pictures with captions, a folder of tar shards, or one shard.
 * @throws UsageError when it cannot be opened, or holds no picture with a caption.
 * @throws FormatError when a metadata.jsonl or a shard is damaged.
 */
export async function openPictures(path: string): Promise<PictureSet> {
  const found = await stat(path).catch((cause: Error) => {
    throw new UsageError(`the picture set ${path} cannot be opened (${cause.message})`, { cause });
  });
  if (!found.isDirectory()) {
    if (path.endsWith(".tar")) return requirePictures(await openTarShards(path, [path]));
    throw new UsageError(`the picture set ${path} is neither a folder nor a .tar shard`);
  }
  const shards = (await readdir(path)).filter((name) => name.endsWith(".tar")).sort();
  if (shards.length === 0) return requirePictures(await openPictureFolder(path));
  return requirePictures(
    await openTarShards(
      path,
      shards.map((name) => join(path, name)),
    ),
  );
}
