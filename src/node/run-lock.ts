import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";

/** A lock that this process holds until it lets go or ends. */
export interface Lock extends AsyncDisposable {
  /** Lets go; a second call does nothing. */
  release(): Promise<void>;
}

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  /** When the process began, as its system counts; tells two processes with the same number apart. */
  readonly started: string;
  readonly host: string;
  /** Unlike any other lock ever taken. */
  readonly id: string;
}

const takeOverTries = 40;
const takeOverPauseMs = 50;

/**
 * Takes the lock at `path`, a small file; a lock whose process has ended is taken over.
 *
 * The file appears with its content at once (written aside, then linked), and only one process can take a given stale lock
 * over: it first takes the lock beside the lock, then looks whether the stale one is still there.
 * @throws UsageError naming the process that holds it.
 */
export async function acquireLock(path: string): Promise<Lock> {
  const self: Holder = { pid: process.pid, started: await startOf(process.pid), host: hostname(), id: randomUUID() };
  for (let attempt = 0; attempt < takeOverTries; attempt++) {
    if (await create(path, self)) return heldLock(path, self);
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (await isAlive(holder)) {
      throw new UsageError(
        `${path}: process ${holder.pid} on ${holder.host} works in this folder; wait for it or stop it, and delete this file only if that process has ended`,
      );
    }
    const guard = `${path}.taken`;
    if (await create(guard, self)) {
      try {
        if ((await readHolder(path))?.id === holder.id) {
          await rename(guard, path);
          return heldLock(path, self);
        }
      } finally {
        if ((await readHolder(guard))?.id === self.id) await rm(guard, { force: true });
      }
    } else {
      const taker = await readHolder(guard);
      // A process that ended between taking the guard and renaming it.
      if (taker !== undefined && !(await isAlive(taker))) await rm(guard, { force: true });
    }
    await delay(takeOverPauseMs);
  }
  throw new UsageError(`${path}: another process is taking this folder over; wait a moment and try again`);
}

function heldLock(path: string, self: Holder): Lock {
  const release = async (): Promise<void> => {
    if ((await readHolder(path))?.id === self.id) await rm(path, { force: true });
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** Whether the file was made; false where there is one already. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const aside = `${path}.${holder.id}`;
  try {
    await writeFile(aside, JSON.stringify(holder));
    await link(aside, path);
    return true;
  } catch (cause) {
    // Gone: the holder of the lock clears the folder of what killed processes left.
    if (isCode(cause, "EEXIST") || (isCode(cause, "ENOENT") && (await readHolder(path)) !== undefined)) return false;
    throw new UsageError(`${path}: the lock cannot be made (${String(cause)}); check the folder`, { cause });
  } finally {
    await rm(aside, { force: true });
  }
}

/** The holder that a lock names, or undefined where there is no lock; one that cannot be read counts as ended. */
async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (isCode(cause, "ENOENT")) return undefined;
    throw cause;
  }
  try {
    const { pid, started, host, id } = JSON.parse(text) as Partial<Holder>;
    return { pid: Number(pid), started: String(started), host: String(host), id: String(id) };
  } catch {
    return { pid: Number.NaN, started: "", host: hostname(), id: text };
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  // Processes of another machine cannot be seen from here.
  if (holder.host !== hostname()) return true;
  if (!Number.isInteger(holder.pid) || holder.pid <= 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    return isCode(cause, "EPERM");
  }
  return (await startOf(holder.pid)) === holder.started;
}

/** When a process began, in ticks of the system's clock; empty where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold blanks; the start is the twentieth field after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function isCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && "code" in cause && cause.code === code;
}
