import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { Problem } from "../problem.ts";
import { drawRequestSchema, type SettledRequest } from "../schemas/draw-request.ts";
import type { JobEvent } from "./job.ts";
import { type SqliteQueue, sqliteQueue } from "./sqlite-queue.ts";

const limits = { queue: 4, kept: 3, keptSeconds: 1000 };
let folder: string;
let queue: SqliteQueue;
let now = 1000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-queue-"));
  queue = await sqliteQueue(folder, limits, () => now);
});
afterEach(async () => {
  await queue.close();
  await rm(folder, { recursive: true, force: true });
});

const request = (prompt: string, more: object = {}): SettledRequest => ({
  ...drawRequestSchema.parse({ prompt, ...more }),
  seed: 1,
  model: "m",
});
const add = (prompt: string, priority = 0, more: object = {}) =>
  queue.add({ request: request(prompt, more), priority });
const stopped = AbortSignal.abort();
const open = new AbortController().signal;
const reopen = async (): Promise<void> => {
  await queue.close();
  queue = await sqliteQueue(folder, limits, () => now);
};

describe("turns", () => {
  it("go by priority, then by time", async () => {
    for (const [prompt, priority] of [["a", 0] as const, ["b", 5] as const, ["c", 5] as const, ["d", -1] as const])
      await add(prompt, priority);
    const order = [];
    for (let i = 0; i < 4; i++) order.push((await queue.take(open))!.job.request.prompt);
    expect(order).toEqual(["b", "c", "a", "d"]);
  });

  it("come to one who waits, and end with its signal", async () => {
    const waiting = queue.take(open);
    await add("late");
    expect((await waiting)?.job).toMatchObject({ state: "running", attempts: 1, request: { prompt: "late" } });
    expect(await queue.take(stopped)).toBeUndefined();
    const stop = new AbortController();
    const none = queue.take(stop.signal);
    stop.abort();
    expect(await none).toBeUndefined();
  });

  it("are refused beyond the limit", async () => {
    for (let i = 0; i < 4; i++) await add("x");
    const refused = await add("x").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ kind: "full", retryAfterSeconds: 5 });
    await queue.take(open);
    await expect(add("y")).resolves.toMatchObject({ state: "waiting" });
  });

  it("are one for one id", async () => {
    const first = await queue.add({ request: request("a"), priority: 0, id: "same" });
    const second = await queue.add({ request: request("b"), priority: 0, id: "same" });
    expect(second).toEqual(first);
    expect(await queue.counts()).toMatchObject({ waiting: 1 });
  });

  it("bring like jobs along", async () => {
    await add("a");
    await add("b", 0, { steps: 3 });
    await add("c", 0, { count: 2 });
    await add("d");
    const first = (await queue.take(open))!;
    const like = await queue.takeLike(first.job.batchKey!, 2);
    expect(like.map(({ job }) => job.request.prompt)).toEqual(["c"]);
    expect(await queue.takeLike(first.job.batchKey!, 8)).toMatchObject([{ job: { request: { prompt: "d" } } }]);
    expect((await queue.take(open))!.job.request.prompt).toBe("b");
  });
});

describe("a job", () => {
  it("is told of, and keeps its pictures", async () => {
    const { id, pictureKey } = await add("a");
    const told: JobEvent[] = [];
    queue.follow(id, (event) => told.push(event));
    const work = (await queue.take(open))!;
    now = 2000;
    work.report({ kind: "step", picture: 0, step: 1, steps: 4 });
    await work.keep({ number: 0, seed: 1, settings: "s" }, Uint8Array.of(1, 2, 3));
    await work.done(["w"]);
    expect(told.map((event) => (event.kind === "state" ? event.state : event.kind))).toEqual([
      "running",
      "step",
      "picture",
      "done",
    ]);
    expect(await queue.find(id)).toMatchObject({
      state: "done",
      created: 1000,
      started: 1000,
      finished: 2000,
      warnings: ["w"],
      pictures: [{ number: 0, seed: 1, settings: "s" }],
    });
    expect([...(await queue.picture(pictureKey, 0))!]).toEqual([1, 2, 3]);
    expect(await queue.picture(id, 0)).toBeUndefined();
    now = 1000;
  });

  it("that is cancelled stays so, whatever its worker does", async () => {
    const { id } = await add("a");
    const work = (await queue.take(open))!;
    expect((await queue.cancel(id))?.state).toBe("cancelled");
    expect(work.signal.aborted).toBe(true);
    await work.keep({ number: 0, seed: 1, settings: "s" }, Uint8Array.of(1));
    await work.done([]);
    expect(await queue.find(id)).toMatchObject({ state: "cancelled", pictures: [] });
    const waiting = await add("b");
    expect((await queue.cancel(waiting.id))?.state).toBe("cancelled");
    expect(await queue.cancel("unknown")).toBeUndefined();
  });

  it("that is put back keeps its place and goes alone", async () => {
    await add("a");
    await add("b");
    const work = (await queue.take(open))!;
    await work.release({ alone: true });
    const again = (await queue.take(open))!;
    expect(again).toMatchObject({ alone: true, job: { id: work.job.id, attempts: 2 } });
  });
});

describe("a restart", () => {
  it("loses nothing, and begins again what was being drawn", async () => {
    const [first, second, third] = [await add("a"), await add("b"), await add("c")];
    await (await queue.take(open))!.done([]);
    await queue.take(open);
    await reopen();
    expect(await queue.counts()).toEqual({ waiting: 2, running: 0, done: 1, failed: 0, cancelled: 0 });
    expect((await queue.find(first.id))?.state).toBe("done");
    expect((await queue.take(open))!.job).toMatchObject({ id: second.id, attempts: 2 });
    expect((await queue.take(open))!.job.id).toBe(third.id);
  });

  it("gives up what ended the server three times", async () => {
    const { id } = await add("a");
    for (let i = 0; i < 3; i++) {
      await queue.take(open);
      await reopen();
    }
    expect(await queue.find(id)).toMatchObject({ state: "failed", error: { kind: "interrupted" } });
  });
});

it("forgets the oldest finished jobs, and those that are too old", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.push((await add(`${i}`)).id);
    await (await queue.take(open))!.done([]);
  }
  expect((await queue.list({ limit: 10 })).map(({ id }) => id)).toEqual(ids.slice(2).reverse());
  now += 1_000_001;
  await add("new");
  await (await queue.take(open))!.done([]);
  expect(await queue.list({ limit: 10, state: "done" })).toHaveLength(1);
  now = 1000;
});

it("is for one server at a time", async () => {
  await expect(sqliteQueue(folder, limits)).rejects.toThrow(UsageError);
  await expect(sqliteQueue(folder, limits)).rejects.toThrow("works in this folder");
});
