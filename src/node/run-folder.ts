import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, FormatError, UsageError } from "../errors.ts";
import { openFileSource, writeFileAtomically } from "../formats/file-source.node.ts";
import { field, integerField, type JsonObject, parseJsonObject, stringField } from "../formats/json.ts";
import { type Choice, decodeChoice, encodeChoice, noChoice } from "../training/choice.ts";
import type { ParameterLayout, TrainingState } from "../training/engine.ts";
import { encodeLogEntry, type LogEntry, truncateLog } from "../training/log.ts";
import { decodeTrainingState, encodeTrainingState, requireSameConfig } from "../training/resume.ts";
import { forgetBestWeights, readBestWeights, writeBestWeights } from "./best-weights.ts";
import { acquireLock } from "./run-lock.ts";

/** Names of what a run folder holds. */
export const runFiles = { config: "config.json", log: "log.jsonl", lock: "run.lock", samples: "samples" } as const;

/** Checkpoints that a folder keeps: the newest, and one in case that one is damaged. */
const checkpointsKept = 2;
const checkpointName = /^state-(\d{8,})\.json$/;
const leftoverName = /^\..+\.part$|^state-\d+\.safetensors$|^run\.lock\..+$/;

/** How a run folder is opened. */
export interface RunFolderOptions {
  /** The resolved config of the run. */
  readonly config: JsonObject;
  /** Whether to go on with the run in the folder; a folder without one begins anew either way. */
  readonly resume: boolean;
  /** Dotted keys of the config that a resumed run may change. */
  readonly freeKeys: readonly string[];
}

/** The state that a run goes on from. */
export interface ResumePoint {
  /** Undefined where the run begins. */
  readonly state: TrainingState | undefined;
  /** What was measured best until then. */
  readonly choice: Choice;
  /** One sentence for each checkpoint that could not be used. */
  readonly damaged: readonly string[];
}

/** The folder of one training run: config, checkpoints, log. This process alone writes into it until it is closed. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string;
  /**
   * Reads the newest intact checkpoint, removes damaged ones and cuts the log to its step; call it once, before `log` and
   * `save`.
   * @throws CheckpointError when there are checkpoints and none is intact, or they are another network's.
   */
  resume(layout: ParameterLayout): Promise<ResumePoint>;
  /** Writes a checkpoint and removes those before the last two, and best weights that none of them names. */
  save(state: TrainingState, layout: ParameterLayout, choice?: Choice): Promise<void>;
  /** Keeps the weights that were measured best after a step; a checkpoint whose choice names the step keeps them for good. */
  keepBest(step: number, weights: Float32Array): Promise<void>;
  /**
   * The weights that were kept at a step.
   * @throws FormatError when they are missing or damaged
   */
  readBest(step: number, layout: ParameterLayout): Promise<Float32Array>;
  /** Appends a line to the log. */
  log(entry: LogEntry): Promise<void>;
  /** Closes the log and lets go of the folder. */
  close(): Promise<void>;
}

/**
 * Opens or makes the folder of a run and locks it.
 * @throws UsageError when another process works in it, when it holds a run and `resume` is false, or when that run began
 * with another config.
 */
export async function openRunFolder(path: string, options: RunFolderOptions): Promise<RunFolder> {
  await makeFolder(path);
  const lock = await acquireLock(join(path, runFiles.lock));
  try {
    await beginOrGoOn(path, options);
  } catch (cause) {
    await lock.release();
    throw cause;
  }
  let log: FileHandle | undefined;
  const openedLog = (): FileHandle => {
    if (log === undefined)
      throw new CheckpointError(`${path}: the run folder is used before resume() or after close()`);
    return log;
  };
  const close = async (): Promise<void> => {
    await log?.close();
    log = undefined;
    await lock.release();
  };
  return {
    path,
    async resume(layout: ParameterLayout): Promise<ResumePoint> {
      const point = await newestIntact(path, layout);
      await cutLog(join(path, runFiles.log), point.state?.step ?? 0);
      log = await open(join(path, runFiles.log), "a");
      return point;
    },
    async save(state: TrainingState, layout: ParameterLayout, choice: Choice = noChoice): Promise<void> {
      // The log first, so that no checkpoint is ahead of it.
      await openedLog().sync();
      await writeCheckpoint(path, state, layout, choice);
    },
    keepBest: (step, weights) => writeBestWeights(path, step, weights),
    readBest: (step, layout) => readBestWeights(path, step, layout.length),
    async log(entry: LogEntry): Promise<void> {
      await openedLog().appendFile(encodeLogEntry(entry));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new UsageError(`${path}: the run folder cannot be made (${String(cause)}); choose another output`, { cause });
  }
}

async function beginOrGoOn(path: string, { config, resume, freeKeys }: RunFolderOptions): Promise<void> {
  const steps = await checkpointSteps(path);
  const configPath = join(path, runFiles.config);
  if (steps.length > 0) {
    if (!resume) {
      throw new UsageError(
        `${path}: this folder holds a run at step ${steps[0]}; go on with it by --resume, or choose another output`,
      );
    }
    const begun = parseJsonObject(await readFile(configPath, "utf8"), configPath);
    requireSameConfig(begun, config, freeKeys, path);
  }
  await writeFileAtomically(configPath, `${JSON.stringify(config, undefined, 2)}\n`);
}

/** Steps of the checkpoints that were written to their end, newest first. */
async function checkpointSteps(path: string): Promise<number[]> {
  const steps: number[] = [];
  for (const name of await readdir(path)) {
    const digits = checkpointName.exec(name)?.[1];
    if (digits !== undefined) steps.push(Number(digits));
  }
  return steps.sort((a, b) => b - a);
}

function checkpointPath(path: string, step: number, end: "json" | "safetensors"): string {
  return join(path, `state-${String(step).padStart(8, "0")}.${end}`);
}

/** The state's file goes first and the small one that vouches for it (bytes, SHA-256) second. */
async function writeCheckpoint(
  path: string,
  state: TrainingState,
  layout: ParameterLayout,
  choice: Choice,
): Promise<void> {
  const bytes = encodeTrainingState(state, layout);
  await writeFileAtomically(checkpointPath(path, state.step, "safetensors"), bytes);
  const voucher = { step: state.step, bytes: bytes.length, sha256: sha256Of(bytes), choice: encodeChoice(choice) };
  await writeFileAtomically(checkpointPath(path, state.step, "json"), `${JSON.stringify(voucher)}\n`);
  for (const step of (await checkpointSteps(path)).slice(checkpointsKept)) await removeCheckpoint(path, step);
  await forgetOtherBest(path);
}

async function removeCheckpoint(path: string, step: number): Promise<void> {
  await rm(checkpointPath(path, step, "json"), { force: true });
  await rm(checkpointPath(path, step, "safetensors"), { force: true });
}

function sha256Of(bytes: Uint8Array): string {
  const hash = createHash("sha256");
  // One call takes less than 2 GiB.
  for (let at = 0; at < bytes.length; at += 2 ** 30) hash.update(bytes.subarray(at, at + 2 ** 30));
  return hash.digest("hex");
}

/** What was measured best when a checkpoint was written. */
async function choiceAt(path: string, step: number): Promise<Choice> {
  const voucherPath = checkpointPath(path, step, "json");
  const voucher = parseJsonObject(await readFile(voucherPath, "utf8"), voucherPath);
  const choice = field(voucher, "choice");
  // Checkpoints of runs that measured nothing, and of older ones, have none.
  return choice === undefined ? noChoice : decodeChoice(choice, voucherPath);
}

/** The choice of a checkpoint; it begins anew, and `damaged` says so, where the best weights are gone. */
async function intactChoice(path: string, step: number, layout: ParameterLayout, damaged: string[]): Promise<Choice> {
  const choice = await choiceAt(path, step);
  if (choice.best === undefined) return choice;
  try {
    await readBestWeights(path, choice.best.step, layout.length);
    return choice;
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    damaged.push(`${cause.message}; the best is chosen anew from step ${step} on`);
    return noChoice;
  }
}

/** Removes best weights that no checkpoint names: those that were surpassed, and those of steps that a killed run had not saved. */
async function forgetOtherBest(path: string): Promise<void> {
  const named = new Set<number>();
  for (const step of await checkpointSteps(path)) {
    // A damaged voucher names none; its checkpoint is passed over anyway.
    const choice = await choiceAt(path, step).catch((cause: unknown) => {
      if (cause instanceof FormatError) return noChoice;
      throw cause;
    });
    if (choice.best !== undefined) named.add(choice.best.step);
  }
  await forgetBestWeights(path, named);
}

async function newestIntact(path: string, layout: ParameterLayout): Promise<ResumePoint> {
  const steps = await checkpointSteps(path);
  await removeLeftovers(path, steps);
  const damaged: string[] = [];
  for (const [index, step] of steps.entries()) {
    try {
      const state = await readCheckpoint(path, step, layout);
      const choice = await intactChoice(path, step, layout, damaged);
      for (const useless of steps.slice(0, index)) await removeCheckpoint(path, useless);
      await forgetOtherBest(path);
      return { state, choice, damaged };
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      damaged.push(cause.message);
    }
  }
  if (damaged.length === 0) {
    await forgetBestWeights(path, new Set());
    return { state: undefined, choice: noChoice, damaged };
  }
  throw new CheckpointError(
    `${path}: none of its ${damaged.length} checkpoints can be read (${damaged.join("; ")}); delete the folder to begin anew`,
  );
}

async function readCheckpoint(path: string, step: number, layout: ParameterLayout): Promise<TrainingState> {
  const voucherPath = checkpointPath(path, step, "json");
  const voucher = parseJsonObject(await readFile(voucherPath, "utf8"), voucherPath);
  const statePath = checkpointPath(path, step, "safetensors");
  const bytes = await readWhole(statePath, step);
  const expected = integerField(voucher, "bytes", voucherPath);
  if (bytes.length !== expected) {
    throw new FormatError(`${statePath}: it has ${bytes.length} bytes, but ${expected} were written`);
  }
  if (sha256Of(bytes) !== stringField(voucher, "sha256", voucherPath)) {
    throw new FormatError(`${statePath}: its content is not what was written (SHA-256 differs)`);
  }
  return decodeTrainingState(bytes, layout, statePath);
}

/** The bytes of a file of any size; the system's own call gives less than 2 GiB. */
async function readWhole(path: string, step: number): Promise<Uint8Array> {
  try {
    await using source = await openFileSource(path);
    return await source.read(0, source.size);
  } catch (cause) {
    throw new FormatError(`the checkpoint of step ${step} cannot be read (${(cause as Error).message})`, { cause });
  }
}

/** Removes what a killed process left: files written aside, and states that nothing vouches for. */
async function removeLeftovers(path: string, steps: readonly number[]): Promise<void> {
  const kept = new Set(steps.map((step) => checkpointPath(path, step, "safetensors")));
  for (const name of await readdir(path)) {
    if (leftoverName.test(name) && !kept.has(join(path, name))) await rm(join(path, name), { force: true });
  }
}

async function cutLog(path: string, step: number): Promise<void> {
  let text = "";
  try {
    text = await readFile(path, "utf8");
  } catch {
    // A run that begins has no log.
  }
  await writeFileAtomically(path, truncateLog(text, step));
}
