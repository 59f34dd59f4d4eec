import { copyFile, mkdir, readdir, readFile, stat, statfs, symlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { UsageError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { type HubReference, isCommit } from "./reference.ts";
import type { HubSettings } from "./settings.ts";

/** One repository in the cache layout that all of the hub's libraries share. */
export interface HubCache {
  readonly blobs: string;
  readonly snapshots: string;
  readonly refs: string;
  readonly locks: string;
}

/** `models--owner--name` with `blobs` (contents), `snapshots/<commit>` (links to them) and `refs/<revision>` (commits). */
export function hubCache(repo: string, { cache }: HubSettings): HubCache {
  const name = `models--${repo.replace("/", "--")}`;
  const root = join(cache, name);
  return {
    blobs: join(root, "blobs"),
    snapshots: join(root, "snapshots"),
    refs: join(root, "refs"),
    locks: join(cache, ".locks", name),
  };
}

/** The commit that a revision stood for when it was last fetched. */
export async function cachedCommit(cache: HubCache, { revision }: HubReference): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(cache.refs, ...revision.split("/")), "utf8").catch(() => "");
  return isCommit(text.trim()) ? text.trim() : undefined;
}

/** Paths of the files of a snapshot whose contents are there, with forward slashes. */
export async function cachedFiles(cache: HubCache, commit: string): Promise<string[]> {
  const root = join(cache.snapshots, commit);
  const names = await readdir(root, { recursive: true }).catch((): string[] => []);
  const files: string[] = [];
  for (const name of names) if (await isFile(join(root, name))) files.push(name.split(sep).join("/"));
  return files;
}

/** Makes a content appear in a snapshot under its name: a link, or a copy where links are forbidden. */
export async function linkIntoSnapshot(cache: HubCache, commit: string, path: string, etag: string): Promise<void> {
  const target = join(cache.snapshots, commit, ...path.split("/"));
  const blob = join(cache.blobs, etag);
  await mkdir(dirname(target), { recursive: true });
  try {
    await symlink(relative(dirname(target), blob), target);
  } catch (error) {
    if (await isFile(target)) return;
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    await copyFile(blob, target);
  }
}

/** Notes which commit a revision stands for. */
export async function writeRef(cache: HubCache, { revision }: HubReference, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const path = join(cache.refs, ...revision.split("/"));
  await mkdir(dirname(path), { recursive: true });
  if ((await readFile(path, "utf8").catch(() => "")) !== commit) await writeFileAtomically(path, commit);
}

/** @throws UsageError when a disk has less room than is needed */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const room = await statfs(folder).then(({ bavail, bsize }) => bavail * bsize);
  if (room < bytes) {
    const gigabytes = (n: number): string => `${(n / 1e9).toFixed(1)} GB`;
    throw new UsageError(
      `${folder}: ${gigabytes(bytes)} are to be fetched, but there are ${gigabytes(room)} left; set HF_HUB_CACHE to a larger disk.`,
    );
  }
}

export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** The repository that a path in the hub's cache belongs to, `owner/name`; undefined for any other path. */
export function cachedRepository(path: string): string | undefined {
  const [, owner, name] = /[\\/]models--(.+?)--([^\\/]+)[\\/]snapshots[\\/]/.exec(resolve(path)) ?? [];
  return owner === undefined || name === undefined ? undefined : `${owner}/${name}`;
}
