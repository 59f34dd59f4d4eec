import { UsageError } from "../errors.ts";
import { type ByteSource, bytesSource } from "../formats/byte-source.ts";
import type { FolderReader } from "../models/checkpoint/folder-reader.ts";

/** How far the download of one file has come. */
export interface DownloadProgress {
  /** Path within the model's folder. */
  readonly file: string;
  /** Bytes that are here. */
  readonly loaded: number;
  /** Bytes in all; undefined where the server does not say, or compresses. */
  readonly total: number | undefined;
}

export interface FetchOptions {
  onProgress?(progress: DownloadProgress): void;
  readonly signal?: AbortSignal;
}

/**
 * A folder behind a server. Each file is fetched once, whole, when it is first asked for, also when it is asked whether there
 * is one: servers tell that by giving it. A page where a file was expected (servers of applications of one page give theirs
 * for every address) is no file.
 * @param url of the folder
 */
export function fetchFolder(url: URL, { onProgress, signal }: FetchOptions = {}): FolderReader {
  const root = new URL(url.pathname.endsWith("/") ? url : `${url.origin}${url.pathname}/${url.search}`);
  const name = root.pathname.split("/").filter(Boolean).at(-1) ?? root.host;
  const files = new Map<string, Promise<Uint8Array | undefined>>();

  const get = async (path: string): Promise<Uint8Array | undefined> => {
    const address = new URL(path, root);
    const response = await fetch(address, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new UsageError(`${address.href}: the server cannot be reached.`, { cause });
    });
    if (response.status === 404 || response.headers.get("content-type")?.startsWith("text/html") === true) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok) throw new UsageError(`${address.href}: the server answered ${response.status}.`);
    const told = response.headers.get("content-encoding") === null ? response.headers.get("content-length") : null;
    return gather(response, (loaded) =>
      onProgress?.({ file: path, loaded, total: told === null ? undefined : Number(told) }),
    );
  };
  const file = (path: string): Promise<Uint8Array | undefined> => {
    const known = files.get(path);
    if (known !== undefined) return known;
    const fetched = get(path);
    files.set(path, fetched);
    // What failed may work another time.
    fetched.catch(() => files.delete(path));
    return fetched;
  };
  const wanted = async (path: string): Promise<Uint8Array> => {
    const bytes = await file(path);
    if (bytes === undefined) throw new UsageError(`${new URL(path, root).href}: there is no such file.`);
    return bytes;
  };
  return {
    name,
    exists: async (path) => (await file(path)) !== undefined,
    readText: async (path) => new TextDecoder().decode(await wanted(path)),
    source: async (path): Promise<ByteSource> => bytesSource(path.slice(path.lastIndexOf("/") + 1), await wanted(path)),
  };
}

async function gather(response: Response, tell: (loaded: number) => void): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body!.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    loaded += next.value.length;
    tell(loaded);
  }
  const whole = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
