import { randomBytes } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FourstepError, UsageError } from "../errors.ts";
import { type FileSource, openFileSource, writeFileAtomically } from "../formats/file-source.node.ts";
import type { FolderReader } from "../models/checkpoint/folder-reader.ts";
import { cachedRepository } from "./hub/cache.ts";

/** A model's folder on a disk; its files stay open until it is closed. */
export interface ModelFolder extends FolderReader, AsyncDisposable {
  /** For the runtime, which reads weights in place. */
  readonly path: string;
  close(): Promise<void>;
}

/**
 * Opens a folder for reading a model.
 * @throws UsageError when there is no such folder
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const root = resolve(path);
  const info = await stat(root).catch(() => undefined);
  if (info === undefined || !info.isDirectory())
    throw new UsageError(`${path}: there is no such folder; give the folder that holds model_index.json.`);
  const open = new Map<string, Promise<FileSource>>();
  const close = async (): Promise<void> => {
    const opened = await Promise.allSettled(open.values());
    open.clear();
    await Promise.all(opened.map((one) => (one.status === "fulfilled" ? one.value.close() : undefined)));
  };
  return {
    name: cachedRepository(join(root, "/")) ?? basename(root),
    path: root,
    exists: (file) =>
      access(join(root, file)).then(
        () => true,
        () => false,
      ),
    async readText(file) {
      try {
        return await readFile(join(root, file), "utf8");
      } catch (cause) {
        throw new UsageError(`${join(path, file)}: the file cannot be read.`, { cause });
      }
    },
    source(file) {
      const known = open.get(file);
      if (known !== undefined) return known;
      const opened = openFileSource(join(root, file));
      open.set(file, opened);
      return opened;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A file's content, whole or piece by piece. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Writes files into a folder of their own, so that a reader, or a crash, finds the old folder or the new, never a mixture.
 * @param files contents by path relative to the folder, with forward slashes
 * @throws UsageError when the folder cannot be written, or exists and holds something other than a model; what a content throws
 *   is passed on
 */
export async function writeModelFolder(path: string, files: ReadonlyMap<string, FileContent>): Promise<void> {
  const root = resolve(path);
  const present = await readdir(root).catch((): string[] => []);
  if (present.length > 0 && !present.includes("model_index.json")) {
    throw new UsageError(`${path}: this folder holds files that are no model; give a new or an empty one.`);
  }
  const mark = randomBytes(6).toString("hex");
  const aside = join(dirname(root), `.${basename(root)}.${mark}.part`);
  const old = join(dirname(root), `.${basename(root)}.${mark}.old`);
  try {
    await mkdir(aside, { recursive: true });
    for (const [file, bytes] of files) {
      await mkdir(join(aside, dirname(file)), { recursive: true });
      await writeFileAtomically(join(aside, file), bytes);
    }
    const moved = await rename(root, old).then(
      () => true,
      () => false,
    );
    try {
      await rename(aside, root);
    } catch (cause) {
      if (moved) await rename(old, root);
      throw cause;
    }
    await rm(old, { recursive: true, force: true });
  } catch (cause) {
    await rm(aside, { recursive: true, force: true });
    if (cause instanceof FourstepError) throw cause;
    throw new UsageError(`${path}: the model's folder cannot be written (${(cause as Error).message}).`, { cause });
  }
}
