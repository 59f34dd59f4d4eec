import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { downloadFile, fileDownloadInfo, HubApiError } from "@huggingface/hub";
import { FormatError, RuntimeFailure } from "../../errors.ts";
import { isNetworkError, reasonOf } from "./errors.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository at one commit. */
export interface HubFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** SHA-256 of a large file, else git's SHA-1: what the cache calls its content. */
  readonly etag: string;
}

/** Where a file comes from. */
export interface HubSource {
  readonly repo: string;
  readonly commit: string;
  readonly settings: HubSettings;
  readonly fetch: typeof fetch;
  readonly signal?: AbortSignal | undefined;
  /** Wait before the first further try; each next one doubles it. */
  readonly pauseMs: number;
}

/** Tries in a row without a byte. */
const triesWithoutProgress = 5;

/** The server sent the whole file where a part was asked for. */
class RangeIgnored extends Error {}

/** The stream ended before the file did. */
class ConnectionCut extends Error {}

/**
 * Fetches a file to `target`: into `target.incomplete` first, going on where an earlier download ended, and under its name
 * when it is whole and its hash is right.
 * @param onBytes told how many bytes are there
 * @throws RuntimeFailure when the connection breaks again and again, FormatError when the content is not what the hub says
 */
export async function downloadTo(
  target: string,
  file: HubFile,
  source: HubSource,
  onBytes: (received: number) => void,
): Promise<void> {
  const aside = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  let failures = 0;
  let wrong = 0;
  for (;;) {
    const before = await sizeOf(aside, file.size);
    try {
      if (before < file.size || file.size === 0) await append(aside, before, file, source, onBytes);
      if ((await hashOf(aside, file)) === file.etag) break;
      await rm(aside, { force: true });
      wrong++;
      if (wrong > 1)
        throw new FormatError(`${file.path}: its content differs from what ${source.repo} says; try again.`);
    } catch (error) {
      source.signal?.throwIfAborted();
      if (error instanceof RangeIgnored) await rm(aside, { force: true });
      else if (!isPassing(error)) throw error;
      failures = (await sizeOf(aside, file.size)) > before ? 1 : failures + 1;
      if (failures >= triesWithoutProgress) {
        throw new RuntimeFailure(
          `${source.repo}: the download of ${file.path} broke off (${reasonOf(error)}); start again, and it goes on from there.`,
          { cause: error },
        );
      }
      await delay(
        source.pauseMs * 2 ** (failures - 1),
        undefined,
        source.signal === undefined ? {} : { signal: source.signal },
      );
    }
  }
  await rename(aside, target);
}

async function append(
  aside: string,
  from: number,
  { path, size }: HubFile,
  { repo, commit, settings, fetch: plainFetch, signal }: HubSource,
  onBytes: (received: number) => void,
): Promise<void> {
  const ranged: typeof fetch = async (input, init) => {
    const response = await plainFetch(input, { ...init, ...(signal === undefined ? {} : { signal }) });
    const range = new Headers(init?.headers).get("range");
    if (range !== null && range !== "bytes=0-0" && response.status === 200) throw new RangeIgnored();
    return response;
  };
  const request = {
    repo,
    path,
    revision: commit,
    hubUrl: settings.endpoint,
    fetch: ranged,
    ...(settings.token === undefined ? {} : { accessToken: settings.token }),
  };
  const downloadInfo = await fileDownloadInfo(request);
  if (downloadInfo === null) throw new FormatError(`${repo}: the file ${path} has gone while the model was fetched.`);
  if (downloadInfo.size !== size) {
    throw new FormatError(`${repo}: ${path} has ${downloadInfo.size} bytes, but ${size} were announced.`);
  }
  onBytes(from);
  // Without the hub's chunk protocol: a file is then one stream, which can go on in the middle.
  const blob = await downloadFile({ ...request, downloadInfo, xet: false });
  if (blob === null) return;
  const handle = await open(aside, "a");
  try {
    let received = from;
    for await (const bytes of blob.slice(from, size).stream()) {
      received += bytes.length;
      if (received > size) throw new RangeIgnored();
      await handle.appendFile(bytes);
      onBytes(received);
    }
    await handle.sync();
    if (received < size) throw new ConnectionCut("the connection was closed");
  } finally {
    await handle.close();
  }
}

/** Bytes that are there already; what is longer than the file is of something else. */
async function sizeOf(aside: string, most: number): Promise<number> {
  const size = (await stat(aside).catch(() => undefined))?.size ?? 0;
  if (size <= most) return size;
  await rm(aside);
  return 0;
}

/** Content hash as the hub's etag has it: SHA-256, or git's SHA-1 of a blob. */
async function hashOf(aside: string, { etag, size }: HubFile): Promise<string> {
  const hash = etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  for await (const bytes of createReadStream(aside, { highWaterMark: 1 << 20 })) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

/** Whether another try may help. */
function isPassing(error: unknown): boolean {
  if (error instanceof HubApiError)
    return error.statusCode >= 500 || error.statusCode === 429 || error.statusCode === 408;
  return isNetworkError(error) || error instanceof ConnectionCut;
}
