import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { RuntimeFailure } from "../errors.ts";
import { type WorkerCrew, workerCrew } from "./worker-crew.ts";

interface Reply {
  readonly kind: string;
  readonly value?: number;
}

const crews: WorkerCrew<Reply>[] = [];

afterEach(async () => {
  await Promise.all(crews.splice(0).map((crew) => crew.dispose()));
});

/** Workers that run the given bodies; `parentPort`, `index` and `gate` (shared, never opened) are at hand. */
function crewOf(...bodies: readonly string[]): { crew: WorkerCrew<Reply>; workers: readonly Worker[] } {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers: Worker[] = [];
  const starts = bodies.map((body, index) => () => {
    const code = `const { parentPort, workerData: { index, gate } } = require("node:worker_threads");\n${body}`;
    const worker = new Worker(code, { eval: true, workerData: { index, gate } });
    workers.push(worker);
    return worker;
  });
  const crew = workerCrew<Reply>(starts, { patience: 50 });
  crews.push(crew);
  return { crew, workers };
}

const ready = `parentPort.postMessage({ kind: "ready" });`;
const onMessage = (act: string): string => `parentPort.on("message", (message) => { ${act} });\n${ready}`;
const doubling = onMessage(`parentPort.postMessage({ kind: "done", value: 2 * message });`);
/** Waits for others that never come, as at a barrier. */
const blocking = onMessage("Atomics.wait(gate, 0, 0);");

/** Numbers of the threads that still live: a thread that has ended has -1. */
const living = (workers: readonly Worker[]): number => workers.filter(({ threadId }) => threadId !== -1).length;

describe("workerCrew", () => {
  it("gives the replies in the workers' order, whoever answers first", async () => {
    const slow = onMessage(`setTimeout(() => parentPort.postMessage({ kind: "done", value: 2 * message }), 30);`);
    const { crew } = crewOf(slow, doubling, doubling);
    expect((await crew.started()).map(({ kind }) => kind)).toEqual(["ready", "ready", "ready"]);
    expect((await crew.ask([1, 2, 3])).map(({ value }) => value)).toEqual([2, 4, 6]);
    expect((await crew.ask([4, 5, 6])).map(({ value }) => value)).toEqual([8, 10, 12]);
  });

  it("ends workers that wait for one that has failed, and tells why", async () => {
    const failing = onMessage(`parentPort.postMessage({ kind: "failed", message: "The graph has no input." });`);
    const { crew, workers } = crewOf(blocking, failing, blocking);
    await crew.started();
    await expect(crew.ask([1, 2, 3])).rejects.toThrow(new RuntimeFailure("The graph has no input."));
    expect(living(workers)).toBe(0);
    await expect(crew.ask([1, 2, 3])).rejects.toThrow("The graph has no input.");
    await crew.dispose();
  });

  it("ends the others when a worker throws or exits", async () => {
    for (const [act, sentence] of [
      [`throw new Error("out of luck");`, "A training worker failed: out of luck"],
      ["process.exit(3);", "A training worker ended unexpectedly; resume the run from its last checkpoint."],
    ] as const) {
      const { crew, workers } = crewOf(blocking, onMessage(act));
      await crew.started();
      await expect(crew.ask([1, 2])).rejects.toThrow(new RuntimeFailure(sentence));
      expect(living(workers)).toBe(0);
    }
  });

  it("rejects the next question when a worker has died between questions", async () => {
    const { crew, workers } = crewOf(doubling, doubling);
    await crew.started();
    await workers[1]!.terminate();
    await expect(crew.ask([1, 2])).rejects.toThrow("A training worker ended unexpectedly");
    expect(living(workers)).toBe(0);
  });

  it("rejects when a worker cannot start", async () => {
    const { crew } = crewOf(doubling, `parentPort.postMessage({ kind: "failed", message: "The model is damaged." });`);
    await expect(crew.started()).rejects.toThrow("The model is damaged.");
  });

  it("lets workers end what they do before they are ended", async () => {
    const flag = new Int32Array(new SharedArrayBuffer(8));
    const waiting = onMessage(`Atomics.wait(flag, 0, 0); Atomics.store(flag, 1, 7); ${ready}`);
    const code = `const { parentPort, workerData: flag } = require("node:worker_threads");\n${waiting}`;
    const release = (): void => {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    };
    const crew = workerCrew<Reply>([() => new Worker(code, { eval: true, workerData: flag })], { release });
    await crew.started();
    const answer = expect(crew.ask([1])).rejects.toThrow("The training workers were disposed");
    await crew.dispose();
    await answer;
    expect(Atomics.load(flag, 1)).toBe(7);
  });

  it("rejects what is under way when it is disposed, and disposes twice", async () => {
    const { crew, workers } = crewOf(blocking, doubling);
    await crew.started();
    const answer = expect(crew.ask([1, 2])).rejects.toThrow("The training workers were disposed");
    await Promise.all([crew.dispose(), crew.dispose()]);
    await answer;
    expect(living(workers)).toBe(0);
  });
});
