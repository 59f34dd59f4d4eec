import { spawnSync } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError, UsageError } from "../errors.ts";
import type { JsonObject } from "../formats/json.ts";
import { type Choice, noChoice, withMeasurement } from "../training/choice.ts";
import { layParametersOut, type TrainingState } from "../training/engine.ts";
import { decodeLog, type LogEntry } from "../training/log.ts";
import { openRunFolder, type RunFolder } from "./run-folder.ts";
import { acquireLock } from "./run-lock.ts";

const layout = layParametersOut([{ name: "weight", shape: [50] }]);
let path: string;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "fourstep-run-"));
});

afterEach(async () => {
  await rm(path, { recursive: true, force: true });
});

function stateAt(step: number): TrainingState {
  const vector = (offset: number): Float32Array => Float32Array.from({ length: 50 }, (_, i) => i * step + offset);
  return { step, parameters: vector(0), firstMoment: vector(1), secondMoment: vector(2), ema: vector(3) };
}

function entryAt(step: number): LogEntry {
  return { step, loss: 1 / step, rate: 0.1, gradientNorm: 1, pictures: 4, milliseconds: 7, metrics: {} };
}

function open(resume: boolean, config: JsonObject = { rate: 1, steps: 9 }): Promise<RunFolder> {
  return openRunFolder(path, { config, resume, freeKeys: ["steps"] });
}

/** A folder with checkpoints at steps 2, 4, 6 (the last two are kept) and a log of seven steps. */
async function makeRun(): Promise<void> {
  await using folder = await open(false);
  expect((await folder.resume(layout)).state).toBeUndefined();
  for (let step = 1; step <= 7; step++) {
    await folder.log(entryAt(step));
    if (step % 2 === 0) await folder.save(stateAt(step), layout);
  }
}

async function logged(): Promise<number[]> {
  return decodeLog(await readFile(join(path, "log.jsonl"), "utf8"), "log").map(({ step }) => step);
}

describe("run folder", () => {
  test("keeps the last two checkpoints and goes on from the newest", async () => {
    await makeRun();
    const names = (await readdir(path)).filter((name) => name.endsWith(".safetensors"));
    expect(names).toEqual(["state-00000004.safetensors", "state-00000006.safetensors"]);
    await using folder = await open(true);
    expect(await folder.resume(layout)).toEqual({ state: stateAt(6), choice: noChoice, damaged: [] });
    expect(await logged()).toEqual([1, 2, 3, 4, 5, 6]);
    await folder.log(entryAt(7));
    expect(await logged()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  const damages: Record<string, (file: string) => Promise<void>> = {
    "cut short": (file) => truncate(file, 300),
    "with one byte changed": async (file) => {
      const bytes = await readFile(file);
      bytes[bytes.length - 9]! ^= 1;
      await writeFile(file, bytes);
    },
    "with bytes too many": (file) => appendFile(file, "more"),
    "that is gone": (file) => rm(file),
  };
  test.each(Object.keys(damages))("passes over a checkpoint %s", async (name) => {
    await makeRun();
    await damages[name]!(join(path, "state-00000006.safetensors"));
    await using folder = await open(true);
    const { state, damaged } = await folder.resume(layout);
    expect(state).toEqual(stateAt(4));
    expect(damaged).toHaveLength(1);
    expect(damaged[0]).toContain("6");
    expect(await logged()).toEqual([1, 2, 3, 4]);
    await folder.save(stateAt(5), layout);
    const vouchers = (await readdir(path)).filter((file) => /^state.*json$/.test(file));
    expect(vouchers).toEqual(["state-00000004.json", "state-00000005.json"]);
  });

  test("passes over a voucher that is half-written", async () => {
    await makeRun();
    await truncate(join(path, "state-00000006.json"), 20);
    await using folder = await open(true);
    expect((await folder.resume(layout)).state?.step).toBe(4);
  });

  test("takes a state that nothing vouches for as unwritten, and clears it away", async () => {
    await makeRun();
    await writeFile(join(path, "state-00000008.safetensors"), "half");
    await writeFile(join(path, ".state-00000008.json.12ab.part"), "half");
    await using folder = await open(true);
    expect(await folder.resume(layout)).toEqual({ state: stateAt(6), choice: noChoice, damaged: [] });
    expect((await readdir(path)).filter((name) => name.includes("00000008"))).toEqual([]);
  });

  test("says so when no checkpoint can be read", async () => {
    await makeRun();
    await truncate(join(path, "state-00000006.safetensors"), 30);
    await truncate(join(path, "state-00000004.safetensors"), 0);
    await using folder = await open(true);
    await expect(folder.resume(layout)).rejects.toThrow(CheckpointError);
    await expect(folder.resume(layout)).rejects.toThrow("none of its 2 checkpoints can be read");
    expect(await logged()).toHaveLength(7);
  });

  test("refuses a run's folder without resume, another config and another network", async () => {
    await makeRun();
    await expect(open(false)).rejects.toThrow(/holds a run at step 6.*--resume/);
    await expect(open(true, { rate: 2, steps: 9 })).rejects.toThrow("differs in rate (was 1, is 2)");
    await using folder = await open(true, { rate: 1, steps: 20 });
    const other = layParametersOut([{ name: "weight", shape: [5, 10] }]);
    await expect(folder.resume(other)).rejects.toThrow("parameter 1 is weight [50] there and weight [5, 10] here");
    expect(JSON.parse(await readFile(join(path, "config.json"), "utf8"))).toEqual({ rate: 1, steps: 20 });
  });

  test("begins anew where nothing was saved yet, whatever the config was", async () => {
    {
      await using folder = await open(false);
      await folder.resume(layout);
      await folder.log(entryAt(1));
    }
    await using folder = await open(false, { rate: 5 });
    expect(await folder.resume(layout)).toEqual({ state: undefined, choice: noChoice, damaged: [] });
    expect(await logged()).toEqual([]);
  });

  /** Measures 8, 5, 7, 4 after steps 2, 4, 6, 8, with a checkpoint at each but the last, which a kill cut off. */
  async function makeMeasuredRun(): Promise<void> {
    await using folder = await open(false);
    await folder.resume(layout);
    let choice: Choice = noChoice;
    for (const [step, measure] of [
      [2, 8],
      [4, 5],
      [6, 7],
      [8, 4],
    ] as const) {
      const measurement = { step, distances: [measure, measure] };
      choice = withMeasurement(choice, measurement);
      if (choice.best === measurement) await folder.keepBest(step, stateAt(step).ema!);
      if (step < 8) await folder.save(stateAt(step), layout, choice);
    }
  }
  const bestFiles = async (): Promise<string[]> => (await readdir(path)).filter((name) => name.startsWith("best-"));

  test("keeps the best weights that checkpoints name, and forgets those of steps that were never saved", async () => {
    await makeMeasuredRun();
    expect(await bestFiles()).toEqual(["best-00000004.safetensors", "best-00000008.safetensors"]);
    await using folder = await open(true);
    const { state, choice, damaged } = await folder.resume(layout);
    expect({ step: state?.step, damaged }).toEqual({ step: 6, damaged: [] });
    expect(choice).toEqual({
      best: { step: 4, distances: [5, 5] },
      last: { step: 6, distances: [7, 7] },
      count: 3,
      worse: 1,
      warned: false,
    });
    expect(await bestFiles()).toEqual(["best-00000004.safetensors"]);
    expect(await folder.readBest(4, layout)).toEqual(stateAt(4).ema);
  });

  test("begins the choice anew, saying so, where the best weights are gone", async () => {
    await makeMeasuredRun();
    await truncate(join(path, "best-00000004.safetensors"), 100);
    await using folder = await open(true);
    const { state, choice, damaged } = await folder.resume(layout);
    expect({ step: state?.step, choice }).toEqual({ step: 6, choice: noChoice });
    expect(damaged).toHaveLength(1);
    expect(damaged[0]).toContain("the best is chosen anew from step 6 on");
  });

  test("refuses to be used before resume and after close", async () => {
    const folder = await open(false);
    await expect(folder.log(entryAt(1))).rejects.toThrow(CheckpointError);
    await folder.resume(layout);
    await folder.close();
    await expect(folder.save(stateAt(1), layout)).rejects.toThrow("after close()");
  });
});

describe("lock", () => {
  const deadPid = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

  test("is held by one at a time and free afterwards", async () => {
    const folder = await open(false);
    await expect(open(false)).rejects.toThrow(UsageError);
    await expect(open(false)).rejects.toThrow(`process ${process.pid} on ${hostname()}`);
    await folder.close();
    await (await open(false)).close();
    expect(await readdir(path)).toEqual(["config.json"]);
  });

  test.each([
    ["of a dead process", { pid: deadPid(), started: "1", host: hostname(), id: "a" }],
    ["of an earlier process with the same number", { pid: process.pid, started: "1", host: hostname(), id: "a" }],
    ["that cannot be read", "{"],
  ])("one %s is taken over, by one of many", async (_, content) => {
    const lock = join(path, "run.lock");
    await writeFile(lock, typeof content === "string" ? content : JSON.stringify(content));
    const takers = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(lock)));
    expect(takers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readdir(path)).toEqual(["run.lock"]);
  });

  test("one of another machine is respected", async () => {
    const holder = { pid: deadPid(), started: "1", host: `not-${hostname()}`, id: "a" };
    await writeFile(join(path, "run.lock"), JSON.stringify(holder));
    await expect(open(false)).rejects.toThrow(`on not-${hostname()}`);
  });

  test("a guard that a dying process left does not block", async () => {
    const holder = { pid: deadPid(), started: "1", host: hostname(), id: "a" };
    await writeFile(join(path, "run.lock"), JSON.stringify(holder));
    await writeFile(join(path, "run.lock.taken"), JSON.stringify({ ...holder, id: "b" }));
    await (await open(false)).close();
    expect(await readdir(path)).toEqual(["config.json"]);
  });
});
