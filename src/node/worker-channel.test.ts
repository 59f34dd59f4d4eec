import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { RuntimeFailure, UsageError } from "../errors.ts";
import { type WorkerChannel, workerChannel } from "./worker-channel.ts";

/** A channel to a worker that runs `body` for each `message`; `reply` and `end` are at hand. */
function channelTo(body: string): { worker: Worker; channel: WorkerChannel<unknown> } {
  const code = `
    const { parentPort } = require("node:worker_threads");
    const reply = (message) => parentPort.postMessage(message);
    const end = () => parentPort.close();
    parentPort.on("message", (message) => { if (message === "end") end(); else { ${body} } });`;
  const worker = new Worker(code, { eval: true });
  return { worker, channel: workerChannel(worker, "counts") };
}

const ask = (channel: WorkerChannel<unknown>, message: unknown, signal?: AbortSignal): Promise<unknown> =>
  channel.ask(() => ({ message, transfer: [] }), signal);

describe("workerChannel", () => {
  test("asks one question after another", async () => {
    const { channel } = channelTo("setTimeout(() => reply({ result: message * 2 }), 20 - 5 * message);");
    expect(await Promise.all([1, 2, 3].map((n) => ask(channel, n)))).toEqual([2, 4, 6]);
    await channel.close("end");
  });

  test("puts a question together when its turn has come", async () => {
    const { channel } = channelTo("reply({ result: message });");
    let value = 1;
    const answers = [ask(channel, 0), channel.ask(() => ({ message: value, transfer: [] }))];
    value = 2;
    expect(await Promise.all(answers)).toEqual([0, 2]);
    await channel.close("end");
  });

  test("brings errors over with their class and message", async () => {
    const { channel } = channelTo("reply({ error: { name: message, message: 'No such step.' } });");
    await expect(ask(channel, "UsageError")).rejects.toThrow(new UsageError("No such step."));
    await expect(ask(channel, "UsageError")).rejects.toBeInstanceOf(UsageError);
    await expect(ask(channel, "TypeError")).rejects.toThrow(
      new RuntimeFailure("The worker failed with TypeError: No such step."),
    );
    await channel.close("end");
  });

  test("takes back a question that waits, and no other", async () => {
    const { channel } = channelTo("setTimeout(() => reply({ result: message }), 20);");
    const [first, second] = [new AbortController(), new AbortController()];
    const answers = [ask(channel, 1, first.signal), ask(channel, 2, second.signal), ask(channel, 3)];
    first.abort();
    second.abort();
    await expect(answers[1]).rejects.toMatchObject({ name: "AbortError" });
    expect(await answers[0]).toBe(1);
    expect(await answers[2]).toBe(3);
    await expect(ask(channel, 4, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    await channel.close("end");
  });

  test("refuses a message that cannot be sent, and goes on", async () => {
    const { channel } = channelTo("reply({ result: message });");
    await expect(ask(channel, () => 1)).rejects.toThrow("could not be cloned");
    expect(await ask(channel, 5)).toBe(5);
    await channel.close("end");
  });

  test.each([
    ["process.exit(3);", "The worker that counts ended unexpectedly (exit code 3)."],
    ['throw new Error("out of luck");', "The worker that counts failed: out of luck"],
  ])("refuses all that waits when the worker breaks down: %s", async (body, sentence) => {
    const { channel } = channelTo(body);
    const answers = await Promise.allSettled([ask(channel, 1), ask(channel, 2)]);
    for (const answer of answers) {
      expect(answer.status === "rejected" && answer.reason).toEqual(new RuntimeFailure(sentence));
    }
    expect(channel.isClosed()).toBe(true);
    await expect(ask(channel, 3)).rejects.toThrow(sentence);
    await channel.close("end");
  });

  test("ends the worker, after the question that it answers, and refuses the rest", async () => {
    const { worker, channel } = channelTo("setTimeout(() => reply({ result: message }), 20);");
    const answers = [ask(channel, 1), ask(channel, 2)];
    const [settled] = await Promise.all([Promise.allSettled(answers), channel.close("end")]);
    expect(settled).toEqual([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: new RuntimeFailure("The worker that counts was closed; start a new one.") },
    ]);
    expect(worker.threadId).toBe(-1);
    await channel.close("end");
    await expect(ask(channel, 3)).rejects.toThrow("was closed");
  });
});
