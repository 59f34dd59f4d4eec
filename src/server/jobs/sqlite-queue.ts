import { randomBytes, randomUUID } from "node:crypto";
import type Database from "libsql";
import type { Limits } from "../limits.ts";
import { Problem } from "../problem.ts";
import { type JobFailure, type JobState, jobStates } from "../schemas/job.ts";
import { batchKeyOf } from "./batch-key.ts";
import { isFinal, type Job, type PictureRecord } from "./job.ts";
import { type JobListeners, jobListeners } from "./job-listeners.ts";
import type { JobQueue, Work, WorkSource } from "./job-queue.ts";
import { type JobRow, jobOfRow } from "./sqlite-rows.ts";
import { type JobStore, openJobStore } from "./sqlite-store.ts";

/** A job that was begun so often and never finished is given up: it may be what ends the server. */
const mostAttempts = 3;

/** The embedded queue: jobs and their pictures in one file, for a server that draws itself. */
export interface SqliteQueue extends JobQueue, WorkSource {}

type QueueLimits = Pick<Limits, "queue" | "kept" | "keptSeconds">;

/**
 * Opens the queue in a folder. Jobs that were being drawn when the last server ended wait again, in their old places.
 * @throws UsageError when the folder cannot be used, or another server uses it
 */
export async function sqliteQueue(
  folder: string,
  limits: QueueLimits,
  now: () => number = Date.now,
): Promise<SqliteQueue> {
  const store = await openJobStore(folder);
  const { database } = store;
  const given: JobFailure = {
    kind: "interrupted",
    message: `The server ended ${mostAttempts} times while this job was drawn, so it was given up.`,
  };
  database
    .prepare("UPDATE jobs SET state = 'failed', finished = ?, error = ? WHERE state = 'running' AND attempts >= ?")
    .run(now(), JSON.stringify(given), mostAttempts);
  database.prepare("UPDATE jobs SET state = 'waiting', alone = 1 WHERE state = 'running'").run();
  return createQueue(store, limits, now);
}

function createQueue({ database, close }: JobStore, limits: QueueLimits, now: () => number): SqliteQueue {
  const listeners = jobListeners();
  const hands = new Map<string, AbortController>();
  let ring = (): void => {};

  const statement = {
    insert: database.prepare(
      `INSERT INTO jobs (id, picture_key, state, priority, request, batch_key, count, created)
       VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    ),
    find: database.prepare("SELECT * FROM jobs WHERE id = ?"),
    pictures: database.prepare("SELECT number, seed, settings FROM pictures WHERE job = ? ORDER BY number"),
    waiting: database.prepare("SELECT count(*) AS n FROM jobs WHERE state = 'waiting'"),
    counts: database.prepare("SELECT state, count(*) AS n FROM jobs GROUP BY state"),
    next: database.prepare("SELECT * FROM jobs WHERE state = 'waiting' ORDER BY priority DESC, sequence LIMIT 1"),
    nextLike: database.prepare(
      `SELECT * FROM jobs WHERE state = 'waiting' AND batch_key = ? AND alone = 0 AND count <= ?
       ORDER BY priority DESC, sequence LIMIT 1`,
    ),
    begin: database.prepare("UPDATE jobs SET state = 'running', started = ?, attempts = attempts + 1 WHERE id = ?"),
    end: database.prepare(
      "UPDATE jobs SET state = ?, finished = ?, warnings = ?, error = ? WHERE id = ? AND state IN ('running', 'waiting')",
    ),
    release: database.prepare(
      "UPDATE jobs SET state = 'waiting', alone = max(alone, ?) WHERE id = ? AND state = 'running'",
    ),
    keep: database.prepare(
      `INSERT OR REPLACE INTO pictures (job, number, seed, settings, png)
       SELECT id, ?, ?, ?, ? FROM jobs WHERE id = ? AND state = 'running'`,
    ),
    png: database.prepare(
      "SELECT png FROM pictures JOIN jobs ON jobs.id = pictures.job WHERE jobs.picture_key = ? AND number = ?",
    ),
    prune: database.prepare(
      `DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND (finished < ? OR sequence <= (
         SELECT sequence FROM jobs WHERE state IN ('done', 'failed', 'cancelled') ORDER BY sequence DESC LIMIT 1 OFFSET ?))`,
    ),
  };

  const find = (id: string): Job | undefined => {
    const row = statement.find.get(id) as JobRow | undefined;
    return row === undefined ? undefined : jobOfRow(row, statement.pictures.all(id) as PictureRecord[]);
  };
  const end = (id: string, state: JobState, warnings: readonly string[], error?: JobFailure): void => {
    const text = error === undefined ? null : JSON.stringify(error);
    const { changes } = statement.end.run(state, now(), JSON.stringify(warnings), text, id);
    hands.delete(id);
    if (changes > 0) listeners.tell(id, { kind: "state", state });
    statement.prune.run(now() - 1000 * limits.keptSeconds, limits.kept);
  };
  const begin = (row: JobRow): Work => {
    statement.begin.run(now(), row.id);
    const hand = new AbortController();
    hands.set(row.id, hand);
    listeners.tell(row.id, { kind: "state", state: "running" });
    return workOf(find(row.id)!, row.alone === 1, hand.signal, { statement, listeners, end, ring: () => ring() });
  };

  return {
    async add({ request, priority, id = randomUUID() }) {
      const known = find(id);
      if (known !== undefined) return known;
      if ((statement.waiting.get() as { n: number }).n >= limits.queue) throw queueFull(limits.queue);
      const key = randomBytes(18).toString("base64url");
      const text = JSON.stringify(request);
      statement.insert.run(id, key, priority, text, batchKeyOf(request) ?? null, request.count, now());
      ring();
      return find(id)!;
    },
    find: async (id) => find(id),
    async list({ state, limit }) {
      const where = state === undefined ? "" : "WHERE state = ?";
      const query = database.prepare(`SELECT * FROM jobs ${where} ORDER BY sequence DESC LIMIT ?`);
      const rows = (state === undefined ? query.all(limit) : query.all(state, limit)) as JobRow[];
      return rows.map((row) => jobOfRow(row, statement.pictures.all(row.id) as PictureRecord[]));
    },
    async cancel(id) {
      const job = find(id);
      if (job === undefined || isFinal(job.state)) return job;
      hands.get(id)?.abort(new DOMException("The job was cancelled.", "AbortError"));
      end(id, "cancelled", job.warnings);
      return find(id);
    },
    async picture(pictureKey, number) {
      return (statement.png.get(pictureKey, number) as { png: Uint8Array } | undefined)?.png;
    },
    follow: listeners.add,
    async counts() {
      const rows = statement.counts.all() as { state: JobState; n: number }[];
      const of = (state: JobState): number => rows.find((row) => row.state === state)?.n ?? 0;
      return Object.fromEntries(jobStates.map((state) => [state, of(state)])) as Record<JobState, number>;
    },
    async take(signal) {
      while (!signal.aborted) {
        const row = statement.next.get() as JobRow | undefined;
        if (row !== undefined) return begin(row);
        await new Promise<void>((resolve) => {
          ring = () => {
            signal.removeEventListener("abort", ring);
            resolve();
          };
          signal.addEventListener("abort", ring);
        });
      }
      return undefined;
    },
    async takeLike(batchKey, mostPictures) {
      const taken: Work[] = [];
      for (let room = mostPictures; room > 0; room -= taken.at(-1)!.job.request.count) {
        const row = statement.nextLike.get(batchKey, room) as JobRow | undefined;
        if (row === undefined) break;
        taken.push(begin(row));
      }
      return taken;
    },
    close,
  };
}

/** @throws never; it is thrown */
export function queueFull(most: number): Problem {
  return new Problem("full", `${most} jobs wait already; ask again in a few seconds.`, { retryAfterSeconds: 5 });
}

interface Desk {
  readonly statement: Readonly<Record<"keep" | "release", Database.Statement>>;
  readonly listeners: JobListeners;
  end(id: string, state: JobState, warnings: readonly string[], error?: JobFailure): void;
  ring(): void;
}

function workOf(job: Job, alone: boolean, signal: AbortSignal, desk: Desk): Work {
  const { id, warnings: known } = job;
  return {
    job,
    alone,
    signal,
    report: (event) => desk.listeners.tell(id, event),
    async keep({ number, seed, settings }, png) {
      desk.statement.keep.run(number, seed, settings, Buffer.from(png), id);
      desk.listeners.tell(id, { kind: "picture", picture: number });
    },
    done: async (warnings) => desk.end(id, "done", warnings),
    fail: async (failure, warnings = known) => desk.end(id, "failed", warnings, failure),
    cancelled: async () => desk.end(id, "cancelled", known),
    async release({ alone: apart }) {
      desk.statement.release.run(apart ? 1 : 0, id);
      desk.listeners.tell(id, { kind: "state", state: "waiting" });
      desk.ring();
    },
  };
}
