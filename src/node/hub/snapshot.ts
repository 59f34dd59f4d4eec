import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { listFiles, modelInfo } from "@huggingface/hub";
import { FormatError, FourstepError, UsageError } from "../../errors.ts";
import { acquireLock } from "../run-lock.ts";
import {
  cachedCommit,
  cachedFiles,
  checkRoom,
  type HubCache,
  hubCache,
  isFile,
  linkIntoSnapshot,
  writeRef,
} from "./cache.ts";
import { downloadTo, type HubFile, type HubSource } from "./download.ts";
import { hubError, isUnreachable } from "./errors.ts";
import { defaultRevision, type HubReference, isCommit } from "./reference.ts";
import { type HubSettings, hubSettings } from "./settings.ts";

/** How far fetching has come. */
export interface HubProgress {
  readonly repo: string;
  readonly file: string;
  /** Of all files that had to be fetched, in bytes. */
  readonly received: number;
  readonly total: number;
}

/** What fetching needs of the world. */
export interface HubOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  /** Told of each block of bytes. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** Told in one sentence when the cache answers for a hub that cannot be reached. */
  readonly onWarning?: (sentence: string) => void;
  /** Wait before the first further try of a broken download; 500 unless told. */
  readonly pauseMs?: number;
}

/** Files of a repository in the cache. */
export interface HubSnapshot {
  /** Folder that holds the files under their names. */
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly string[];
}

/**
 * Fetches the files of a repository that are needed, unless they are in the cache, which is shared with Python's libraries.
 *
 * Each file is written aside, checked against its hash and renamed; a broken download goes on where it ended, in this run or
 * in a later one. Offline, or when the hub cannot be reached, the cache answers alone.
 * @param choose the files that are needed, of all there are
 * @throws UsageError when the hub has no such model, or does not give it; RuntimeFailure when it cannot be reached
 */
export async function fetchSnapshot(
  reference: HubReference,
  choose: (paths: readonly string[]) => readonly string[],
  options: HubOptions,
): Promise<HubSnapshot> {
  const settings = await hubSettings(options.env);
  const cache = hubCache(reference.repo, settings);
  if (settings.offline) return offlineSnapshot(reference, cache, settings, choose);
  try {
    return await onlineSnapshot(reference, cache, settings, choose, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof FourstepError) throw error;
    if (isUnreachable(error) && (await cachedCommit(cache, reference)) !== undefined) {
      const snapshot = await offlineSnapshot(reference, cache, settings, choose);
      options.onWarning?.(`${settings.endpoint} cannot be reached; ${reference.repo} comes from the cache.`);
      return snapshot;
    }
    throw hubError(error, reference, settings);
  }
}

async function offlineSnapshot(
  reference: HubReference,
  cache: HubCache,
  settings: HubSettings,
  choose: (paths: readonly string[]) => readonly string[],
): Promise<HubSnapshot> {
  const commit = await cachedCommit(cache, reference);
  const paths = commit === undefined ? [] : await cachedFiles(cache, commit);
  if (commit === undefined || paths.length === 0) {
    const revision = reference.revision === defaultRevision ? "" : ` of revision "${reference.revision}"`;
    throw new UsageError(
      `${reference.repo}: HF_HUB_OFFLINE is set, or the hub is out of reach, and the cache ${settings.cache} holds nothing${revision}; fetch it online once.`,
    );
  }
  return { folder: join(cache.snapshots, commit), commit, files: choose(paths) };
}

async function onlineSnapshot(
  reference: HubReference,
  cache: HubCache,
  settings: HubSettings,
  choose: (paths: readonly string[]) => readonly string[],
  options: HubOptions,
): Promise<HubSnapshot> {
  const { repo, revision } = reference;
  const { signal, pauseMs = 500, onProgress } = options;
  const plainFetch = options.fetch ?? fetch;
  const stoppable: typeof fetch = (input, init) =>
    plainFetch(input, { ...init, ...(signal === undefined ? {} : { signal }) });
  const request = {
    hubUrl: settings.endpoint,
    fetch: stoppable,
    ...(settings.token === undefined ? {} : { accessToken: settings.token }),
  };
  const commit = isCommit(revision)
    ? revision
    : (await modelInfo({ ...request, name: repo, revision, additionalFields: ["sha"] })).sha;
  if (typeof commit !== "string" || !isCommit(commit)) {
    throw new FormatError(`${repo}: ${settings.endpoint} names no commit for the revision "${revision}".`);
  }
  const listed = new Map<string, HubFile>();
  for await (const entry of listFiles({ ...request, repo, revision: commit, recursive: true })) {
    if (entry.type === "file") listed.set(entry.path, hubFile(repo, entry));
  }
  const files = choose([...listed.keys()]);
  const folder = join(cache.snapshots, commit);
  const missing: HubFile[] = [];
  for (const path of files) if (!(await isFile(join(folder, ...path.split("/"))))) missing.push(listed.get(path)!);
  if (missing.length > 0) {
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    await checkRoom(settings.cache, total);
    const source: HubSource = { repo, commit, settings, fetch: plainFetch, signal, pauseMs };
    let before = 0;
    for (const file of missing) {
      await fetchFile(file, cache, source, (received) =>
        onProgress?.({ repo, file: file.path, received: before + received, total }),
      );
      before += file.size;
    }
    onProgress?.({ repo, file: missing.at(-1)!.path, received: total, total });
  }
  await writeRef(cache, reference, commit);
  return { folder, commit, files };
}

async function fetchFile(
  file: HubFile,
  cache: HubCache,
  source: HubSource,
  onBytes: (received: number) => void,
): Promise<void> {
  const blob = join(cache.blobs, file.etag);
  if (!(await isFile(blob))) {
    await mkdir(cache.locks, { recursive: true });
    await using _ = await acquireLock(join(cache.locks, `${file.etag}.fourstep.lock`));
    if (!(await isFile(blob))) await downloadTo(blob, file, source, onBytes);
  }
  await linkIntoSnapshot(cache, source.commit, file.path, file.etag);
}

/** @throws FormatError when the hub names a path or a hash that could lead elsewhere */
function hubFile(
  repo: string,
  entry: { path: string; size: number; oid?: string; lfs?: { oid: string; size: number } },
): HubFile {
  const { path, lfs, oid = "" } = entry;
  const etag = lfs?.oid ?? oid;
  const steps = path.split("/");
  if (steps.some((step) => step === "" || step === "." || step === "..") || /[\\:\0]/.test(path)) {
    throw new FormatError(`${repo}: the hub names a file "${path}", which leads out of the model.`);
  }
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) {
    throw new FormatError(`${repo}: the hub names no hash for ${path}.`);
  }
  return { path, size: lfs?.size ?? entry.size, etag };
}
