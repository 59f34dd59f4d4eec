import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FormatError, FourstepError, UsageError } from "../errors.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";

/** A file opened for reading by range; close it, or declare it with `await using`. */
export interface FileSource extends ByteSource, AsyncDisposable {
  readonly path: string;
  close(): Promise<void>;
}

/** One read call of the system gives at most 2 GiB less a page. */
const maxReadBytes = 2 ** 30;

/**
 * Opens a file for reading by range.
 * @throws UsageError when it cannot be opened or is not a file.
 */
export async function openFileSource(path: string): Promise<FileSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    throw new UsageError(`${path}: the file cannot be opened (${codeOf(cause)}); check the path.`, { cause });
  }
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new UsageError(`${path}: a file was expected, but this is a folder or a device.`);
  }
  const name = basename(path);
  const size = stat.size;
  return {
    path,
    name,
    size,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(name, size, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, maxReadBytes), offset + done);
        if (bytesRead === 0) throw new FormatError(`${name}: it shrank to ${offset + done} bytes while it was read.`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/**
 * Writes a file so that a reader, or a crash, finds the old content or the new, never a part: written aside, forced to the
 * disk, then renamed over `path`. Content that is given piece by piece is never in memory whole; where a piece cannot be had,
 * its error is passed on and nothing is written.
 * @throws UsageError when the folder is missing or cannot be written.
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.part`);
  try {
    const handle = await open(aside, "wx");
    try {
      if (typeof bytes === "string" || bytes instanceof Uint8Array) await handle.writeFile(bytes);
      // On an open file, each call goes on where the last one ended.
      else for await (const piece of bytes) await handle.writeFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true });
    if (cause instanceof FourstepError) throw cause;
    throw new UsageError(`${path}: the file cannot be written (${codeOf(cause)}); check the folder.`, { cause });
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
}
