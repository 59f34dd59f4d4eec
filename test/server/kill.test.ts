import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../running-server.ts";
import { jobClient } from "./job-client.ts";
import { type ServingFourstep, startFourstep, startServe } from "./processes.ts";

let data: string;
let server: ServingFourstep;
const start = async (): Promise<void> => {
  server = await startServe(["--data", data, "--batch", "2"]);
};
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "fourstep-kill-"));
});
afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true, force: true });
});

it("a server that is killed loses no job and doubles none", async () => {
  await start();
  const client = jobClient(() => server.url);
  const ids: string[] = [];
  for (let i = 0; i < 8; i++) ids.push((await client.submit(`before ${i}`, { prompt: "a cat", seed: i, steps: 2 })).id);
  await until(async () => (await client.find(ids[0]!)).state === "done");
  await server.kill();
  await start();
  // The answer to the last one may have been lost, so it is asked for again.
  expect((await client.submit("before 7", { prompt: "a cat", seed: 7, steps: 2 })).id).toBe(ids[7]);
  const jobs = await client.finished(ids);
  expect(jobs.map(({ state }) => state)).toEqual(ids.map(() => "done"));
  expect(jobs.map(({ pictures }) => pictures.map(({ seed }) => seed))).toEqual(ids.map((_, i) => [i]));
  const listed = (await (await fetch(`${server.url}/api/jobs`)).json()) as unknown[];
  expect(listed).toHaveLength(ids.length);
});

it("a server that is asked to end finishes its job, and ends well", async () => {
  const client = jobClient(() => server.url);
  const { id } = await client.submit("the last", { prompt: "a dog", seed: 1, steps: 20, count: 2 });
  await until(async () => (await client.find(id)).state === "running");
  expect(await server.stop()).toBe(0);
  await start();
  expect(await client.find(id)).toMatchObject({ state: "done", attempts: 1 });
});

it("a second server on the same jobs, and one without a key for other machines, are refused", async () => {
  for (const args of [
    ["--data", data],
    ["--host", "0.0.0.0"],
  ]) {
    const second = startFourstep(["serve", "--port", "0", ...args]);
    const code = await new Promise((resolve) => second.child.on("exit", resolve));
    expect([code, second.stderr().trim().split("\n")]).toEqual([2, [expect.stringMatching(/^fourstep: /)]]);
  }
});
