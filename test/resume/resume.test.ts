import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeLog } from "../../src/training/log.ts";

const width = 30_000;
const steps = 120;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-resume-"));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  /** The step that the child began at. */
  readonly from: Promise<number>;
  readonly lastStep: () => number;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }>;
}

function start(folder: string): Run {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "test/resume/train-child.ts", folder, String(width), String(steps)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  let errors = "";
  let tellFrom: (step: number) => void = () => {};
  const from = new Promise<number>((resolve) => {
    tellFrom = resolve;
  });
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    const begun = /from (\d+)\n/.exec(output);
    if (begun !== null) tellFrom(Number(begun[1]));
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<Awaited<Run["ended"]>>((resolve) => {
    child.on("close", (code, signal) => {
      tellFrom(Number.NaN);
      resolve({ code, signal, errors });
    });
  });
  const lastStep = (): number => Number([...output.matchAll(/step (\d+)\n/g)].at(-1)?.[1] ?? 0);
  return { child, from, lastStep, ended };
}

async function contents(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of (await readdir(folder)).sort()) {
    files.set(name, (await readFile(join(folder, name))).toString("base64"));
  }
  return files;
}

test("a run killed again and again ends with the same files as one left alone", async () => {
  const calm = start(join(root, "calm"));
  expect(await calm.ended).toEqual({ code: 0, signal: null, errors: "" });

  const folder = join(root, "killed");
  const beginnings: number[] = [];
  let kills = 0;
  while (kills < 9) {
    const run = start(folder);
    const from = await run.from;
    beginnings.push(from);
    // Moments that fall into steps, into writing and into renaming; rarely so early that nothing was gained.
    const wait = delay(Math.random() * 350).then(() => "wait");
    const first = await Promise.race([wait, run.ended]);
    if (first === "wait") run.child.kill("SIGKILL");
    const { code, signal, errors } = await run.ended;
    expect(errors).toBe("");
    if (code === 0) break;
    expect(signal).toBe("SIGKILL");
    kills++;
  }
  console.log(`killed ${kills} times; began at ${beginnings.join(", ")}`);
  const finished = start(folder);
  expect(await finished.ended).toEqual({ code: 0, signal: null, errors: "" });

  expect(kills).toBeGreaterThanOrEqual(3);
  expect(beginnings.some((step) => step > 0 && step < steps)).toBe(true);
  for (const step of beginnings) expect(step % 3).toBe(0);
  const [expected, actual] = [await contents(join(root, "calm")), await contents(folder)];
  expect([...actual.keys()]).toEqual([
    "config.json",
    "log.jsonl",
    "state-00000117.json",
    "state-00000117.safetensors",
    "state-00000120.json",
    "state-00000120.safetensors",
  ]);
  for (const [name, bytes] of expected) expect(actual.get(name) === bytes, name).toBe(true);
  const log = decodeLog(await readFile(join(folder, "log.jsonl"), "utf8"), "log.jsonl");
  expect(log.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
});

test("a run that is asked to stop saves the step that it was at", async () => {
  const folder = join(root, "stopped");
  const run = start(folder);
  await run.from;
  while (run.lastStep() < 5) await delay(5);
  run.child.kill("SIGTERM");
  expect((await run.ended).code).toBe(0);
  const stopped = run.lastStep();
  expect(stopped).toBeLessThan(steps);
  const second = start(folder);
  expect(await second.from).toBe(stopped);
  expect((await second.ended).code).toBe(0);
  const [expected, actual] = [await contents(join(root, "calm")), await contents(folder)];
  for (const [name, bytes] of expected) expect(actual.get(name) === bytes, name).toBe(true);
});

test("two processes cannot train in one folder", async () => {
  const folder = join(root, "shared");
  const first = start(folder);
  await first.from;
  while (first.lastStep() < 2) await delay(5);
  const second = await start(folder).ended;
  expect(second.code).toBe(1);
  expect(second.errors).toContain(`process ${first.child.pid} on`);
  first.child.kill("SIGKILL");
  await first.ended;
  expect((await start(folder).ended).code).toBe(0);
});
