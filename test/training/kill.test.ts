import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeLog } from "../../src/training/log.ts";
import { drawTinyPictures, tinyConfig } from "./tiny.ts";

const steps = 30;
const timeout = 900_000;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-kill-"));
  await drawTinyPictures(join(root, "pictures"));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A process of the command line. */
interface Run {
  readonly child: ChildProcess;
  /** Steps that it has told of. */
  readonly told: () => number[];
  readonly errors: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Starts `fourstep train autoencoder --json`; `restarts` lets it restart itself with its own allocator settings. */
async function start(name: string, restarts: boolean, ...more: string[]): Promise<Run> {
  const config = join(root, `${name}.json`);
  const tiny = { ...tinyConfig("autoencoder", root), output: join(root, name), steps, checkpointEvery: 3, flip: true };
  await writeFile(config, JSON.stringify(tiny));
  const { MALLOC_MMAP_THRESHOLD_: _, MALLOC_TRIM_THRESHOLD_: __, ...unset } = process.env;
  const env = restarts ? unset : { ...unset, MALLOC_MMAP_THRESHOLD_: "4294967296" };
  const words = ["src/cli/main.ts", "train", "autoencoder", "--config", config, "--json", ...more];
  const child = spawn(process.execPath, ["--import", "tsx", ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<Awaited<Run["ended"]>>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  const told = (): number[] => [...out.matchAll(/^\{"step":(\d+),.*\}\n/gm)].map(([, step]) => Number(step));
  return { child, told, errors: () => errors, ended };
}

/** Waits until a run has told of so many steps, or has ended. */
async function reach({ told, ended }: Run, count: number): Promise<void> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (told().length < count && !over) await delay(2);
}

async function waitForEnd(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await delay(5);
  }
}

/** The files that two runs of the same numbers share. */
async function results(name: string): Promise<Map<string, string>> {
  const files = (await readdir(join(root, name))).filter((file) => file.startsWith("state-"));
  const paths = [...files, "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "sources.json"].sort();
  const read = async (path: string): Promise<[string, string]> => [
    path,
    (await readFile(join(root, name, path))).toString("base64"),
  ];
  return new Map(await Promise.all(paths.map(read)));
}

async function expectSameAsCalm(name: string): Promise<void> {
  const [expected, actual] = [await results("calm"), await results(name)];
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [path, bytes] of expected) expect(actual.get(path) === bytes, `${name}/${path}`).toBe(true);
  const logs = await Promise.all(
    ["calm", name].map(async (run) => decodeLog(await readFile(join(root, run, "log.jsonl"), "utf8"), run)),
  );
  const [calm, other] = logs.map((log) => log.map(({ milliseconds: _, ...entry }) => entry));
  expect(calm!.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  expect(other).toEqual(calm);
}

test("a run left alone ends with exit code 0", { timeout }, async () => {
  const calm = await start("calm", true);
  expect(await calm.ended, calm.errors()).toEqual({ code: 0, signal: null });
  expect(calm.told()).toHaveLength(steps);
});

test("a run killed at random moments is resumed to the same bytes", { timeout }, async () => {
  const beginnings: number[] = [];
  for (let kills = 0; kills < 3; kills++) {
    const run = await start("killed", false, "--resume");
    await reach(run, 1 + Math.floor(Math.random() * 8));
    // Into steps, into writing a checkpoint, into renaming it.
    await delay(Math.random() * 40);
    run.child.kill("SIGKILL");
    const { code, signal } = await run.ended;
    if (code === 0) break;
    expect(signal, run.errors()).toBe("SIGKILL");
    beginnings.push(run.told()[0]!);
  }
  const last = await start("killed", false, "--resume");
  expect(await last.ended, last.errors()).toEqual({ code: 0, signal: null });
  console.log(`killed ${beginnings.length} times; began at steps ${beginnings.join(", ")}`);
  for (const step of beginnings) expect(step % 3).toBe(1);
  await expectSameAsCalm("killed");
});

test("Ctrl-C saves the step, says how to go on and exits with 130; what stands in for the run dies with it", {
  timeout,
}, async () => {
  const stopped = await start("stopped", true);
  await reach(stopped, 4);
  stopped.child.kill("SIGINT");
  expect(await stopped.ended, stopped.errors()).toEqual({ code: 130, signal: null });
  const step = stopped.told().at(-1)!;
  expect(step).toBeLessThan(steps);
  expect(stopped.errors()).toContain(
    `go on with: fourstep train autoencoder --config ${join(root, "stopped.json")} --resume --json\n`,
  );
  expect(await readdir(join(root, "stopped"))).toContain(`state-${String(step).padStart(8, "0")}.safetensors`);

  const orphaned = await start("stopped", true, "--resume");
  await reach(orphaned, 2);
  expect(orphaned.told()[0]).toBe(step + 1);
  const { pid } = JSON.parse(await readFile(join(root, "stopped/run.lock"), "utf8")) as { readonly pid: number };
  expect(pid).not.toBe(orphaned.child.pid);
  orphaned.child.kill("SIGKILL");
  await waitForEnd(pid);

  const last = await start("stopped", true, "--resume");
  expect(await last.ended, last.errors()).toEqual({ code: 0, signal: null });
  await expectSameAsCalm("stopped");
});
