import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { type JsonObject, parseJsonObject } from "../../formats/json.ts";
import { requireSameConfig } from "../../training/resume.ts";
import { acquireLock } from "../run-lock.ts";

/** Names of what the folder of an evaluation holds. */
export const evaluationFiles = {
  config: "config.json",
  split: "split.json",
  pictures: "pictures",
  measured: "measured",
  report: "report.html",
} as const;

/** One of several processes that share the drawing. */
export interface Shard {
  /** From 1 on. */
  readonly number: number;
  readonly of: number;
}

/** A picture that was drawn. */
export interface DrawnRecord {
  /** The row's key. */
  readonly row: string;
  /** Number of the picture within its row. */
  readonly place: number;
  readonly seconds: number;
  readonly networkCalls: number;
}

/** The state of an evaluation: whoever kills it loses the picture at hand. */
export interface EvaluationFolder extends AsyncDisposable {
  readonly path: string;
  /** All pictures that this and other shards have drawn. */
  drawn(): Promise<readonly DrawnRecord[]>;
  /** Keeps a picture, a PNG file; it counts once this has ended. */
  keep(record: DrawnRecord, png: Uint8Array): Promise<void>;
  picture(row: string, place: number): Promise<Uint8Array>;
  /** Bytes that were measured under a name before; undefined when they were not. */
  measured(name: string): Promise<Uint8Array | undefined>;
  keepMeasured(name: string, bytes: Uint8Array | string): Promise<void>;
  write(name: string, content: string): Promise<string>;
  /** Removes the pictures and what was measured of each. */
  forgetPictures(): Promise<void>;
}

export interface FolderOptions {
  readonly config: JsonObject;
  readonly resume: boolean;
  readonly shard: Shard;
  readonly freeKeys: readonly string[];
}

const logName = /^drawn-(\d+)-of-(\d+)\.jsonl$/;

/**
 * Opens or makes the folder of an evaluation and locks this shard of it.
 * @throws UsageError when another process draws this shard, the folder holds an evaluation and `resume` is false, or it was
 * begun with other settings
 */
export async function openEvaluationFolder(path: string, options: FolderOptions): Promise<EvaluationFolder> {
  const { config, resume, shard, freeKeys } = options;
  try {
    await mkdir(join(path, evaluationFiles.measured), { recursive: true });
  } catch (cause) {
    throw new UsageError(`${path}: the folder cannot be made (${(cause as Error).message}); choose another --out.`, {
      cause,
    });
  }
  const lock = await acquireLock(join(path, `shard-${shard.number}-of-${shard.of}.lock`));
  try {
    await beginOrGoOn(path, config, resume || shard.of > 1, freeKeys);
  } catch (cause) {
    await lock.release();
    throw cause;
  }
  const logPath = join(path, `drawn-${shard.number}-of-${shard.of}.jsonl`);
  await cutPartialLine(logPath);
  const log = await open(logPath, "a");
  const picturePath = (row: string, place: number): string =>
    join(path, evaluationFiles.pictures, row, `${String(place).padStart(5, "0")}.png`);
  const rows = new Set<string>();

  return {
    path,
    async drawn() {
      const names = (await readdir(path)).filter((name) => logName.test(name)).sort();
      const records = new Map<string, DrawnRecord>();
      for (const name of names) {
        for (const record of parseLog(await readFile(join(path, name), "utf8")))
          records.set(`${record.row} ${record.place}`, record);
      }
      return [...records.values()];
    },
    async keep(record, png) {
      const file = picturePath(record.row, record.place);
      if (!rows.has(record.row)) await mkdir(join(path, evaluationFiles.pictures, record.row), { recursive: true });
      rows.add(record.row);
      // The picture first: what the log names is there.
      await writeFileAtomically(file, png);
      await log.appendFile(`${JSON.stringify(record)}\n`);
      await log.datasync();
    },
    async picture(row, place) {
      const file = picturePath(row, place);
      try {
        return await readFile(file);
      } catch (cause) {
        throw new UsageError(`${file}: a picture that was drawn is missing; begin anew in another folder.`, { cause });
      }
    },
    measured: (name) => readFile(join(path, evaluationFiles.measured, name)).catch(() => undefined),
    keepMeasured: (name, bytes) => writeFileAtomically(join(path, evaluationFiles.measured, name), bytes),
    async write(name, content) {
      const file = join(path, name);
      await writeFileAtomically(file, content);
      return file;
    },
    async forgetPictures() {
      await rm(join(path, evaluationFiles.pictures), { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      await log.close();
      await lock.release();
    },
  };
}

async function beginOrGoOn(
  path: string,
  config: JsonObject,
  resume: boolean,
  freeKeys: readonly string[],
): Promise<void> {
  const file = join(path, evaluationFiles.config);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text !== undefined) {
    if (!resume)
      throw new UsageError(
        `${path}: this folder holds an evaluation; go on with it by --resume, or choose another --out.`,
      );
    requireSameConfig(parseJsonObject(text, file), config, freeKeys, path);
  }
  await writeFileAtomically(file, `${JSON.stringify(config, undefined, 2)}\n`);
}

/** Takes away the line that a killed process did not end. */
async function cutPartialLine(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => "");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) await writeFileAtomically(path, whole);
}

/** The records of a log; a line that is being written is left out. */
function parseLog(text: string): DrawnRecord[] {
  const records: DrawnRecord[] = [];
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    if (line === "") continue;
    const { row, place, seconds, networkCalls } = JSON.parse(line) as Partial<DrawnRecord>;
    if (typeof row !== "string") continue;
    records.push({
      row,
      place: Number(place),
      seconds: Number(seconds),
      networkCalls: Number(networkCalls),
    });
  }
  return records;
}
