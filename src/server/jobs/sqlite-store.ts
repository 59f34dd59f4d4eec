import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type Database from "libsql";
import { UsageError } from "../../errors.ts";
import { acquireLock } from "../../node/run-lock.ts";

const tables = `
  CREATE TABLE IF NOT EXISTS jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    picture_key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    request TEXT NOT NULL,
    batch_key TEXT,
    count INTEGER NOT NULL,
    alone INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    started INTEGER,
    finished INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    warnings TEXT NOT NULL DEFAULT '[]',
    error TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_by_turn ON jobs (state, priority DESC, sequence);
  CREATE TABLE IF NOT EXISTS pictures (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL,
    png BLOB NOT NULL,
    PRIMARY KEY (job, number)
  ) STRICT;
`;

/** Of the tables; a database of another one is refused. */
const version = 1;

/** The database of jobs, for this process alone until it is closed. */
export interface JobStore {
  readonly database: Database.Database;
  close(): Promise<void>;
}

/**
 * Opens the database of jobs in a folder, which is made. What was committed survives a crash of the program and of the
 * machine; no second server opens it at the same time.
 * @throws UsageError when SQLite is not installed, the folder cannot be used, or another server uses it
 */
export async function openJobStore(folder: string): Promise<JobStore> {
  const module = await import("libsql").catch((cause: unknown) => {
    throw new UsageError("The queue needs the package libsql, which was not installed; install it, or use --redis.", {
      cause,
    });
  });
  const path = join(folder, "jobs.sqlite");
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    throw new UsageError(
      `${folder}: the folder for jobs cannot be made (${cause.message}); name another with --data.`,
      {
        cause,
      },
    );
  });
  // SQLite's own lock is given back only when statements are collected.
  const lock = await acquireLock(join(folder, "server.lock"));
  let database: Database.Database | undefined;
  try {
    database = new module.default(path);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    const { user_version: found } = database.prepare("PRAGMA user_version").get() as { user_version: number };
    if (found !== 0 && found !== version) throw new Error(`it is of version ${found}, and this server's is ${version}`);
    database.exec(tables);
    database.exec(`PRAGMA user_version = ${version}`);
    const opened = database;
    return {
      database,
      async close() {
        opened.close();
        await lock.release();
      },
    };
  } catch (cause) {
    database?.close();
    await lock.release();
    throw new UsageError(
      `${path}: the jobs cannot be opened (${(cause as Error).message}); name another folder with --data.`,
      {
        cause,
      },
    );
  }
}
