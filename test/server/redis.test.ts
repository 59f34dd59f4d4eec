import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../running-server.ts";
import { jobClient } from "./job-client.ts";
import {
  type Fourstep,
  freePort,
  hasRedis,
  type ServingFourstep,
  startFourstep,
  startRedis,
  startServe,
} from "./processes.ts";

if (!hasRedis) process.stderr.write("skipped: no redis-server is installed (Debian: apt-get install redis-server)\n");

describe.skipIf(!hasRedis)("servers and workers over Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let server: ServingFourstep;
  const workers: Fourstep[] = [];
  const client = jobClient(() => server.url);
  const startWorker = async (): Promise<Fourstep> => {
    const worker = startFourstep(["worker", "--redis", redis.url, "--batch", "2", "--lock-seconds", "3"]);
    workers.push(worker);
    await until(() => worker.stderr().includes("waiting for jobs"));
    return worker;
  };
  beforeAll(async () => {
    redis = await startRedis(await freePort());
    server = await startServe(["--redis", redis.url]);
  });
  afterAll(async () => {
    await Promise.all([server, ...workers].map((one) => one.stop()));
    await redis.stop();
  });

  it("draw for a client that waits and for one that watches", async () => {
    await startWorker();
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ prompt: "a red apple", seed: 1, response_format: "b64_json" });
    const drawn = await fetch(`${server.url}/v1/images/generations`, { method: "POST", headers, body });
    expect(drawn.status).toBe(200);
    const events = await fetch(`${server.url}/api/draw`, {
      method: "POST",
      headers,
      body: JSON.stringify({ prompt: "a dog", steps: 3, previews: true }),
    });
    const text = await events.text();
    expect(text.match(/^event: \w+/gm)).toEqual(
      expect.arrayContaining(["event: step", "event: picture", "event: end"]),
    );
    expect(text).toContain('"preview":"data:image/png;base64,');
  });

  it("cancel what waits and what is drawn", async () => {
    const running = await client.submit("a long one", { prompt: "a cat", steps: 50, count: 16 });
    await until(async () => (await client.find(running.id)).pictures.length > 0);
    const waiting = await client.submit("a short one", { prompt: "a cat", steps: 1 });
    for (const { id } of [waiting, running]) await fetch(`${server.url}/api/jobs/${id}`, { method: "DELETE" });
    const [first, second] = await client.finished([running.id, waiting.id]);
    expect([first?.state, second?.state]).toEqual(["cancelled", "cancelled"]);
  });

  it("lose no job and double none when a worker and the server are killed", async () => {
    const second = await startWorker();
    const ids: string[] = [];
    for (let i = 0; i < 10; i++)
      ids.push((await client.submit(`job number ${i}`, { prompt: "a cat", seed: i, steps: 8 })).id);
    await until(() => second.stderr().includes('"drawn"'));
    await second.kill();
    await server.kill();
    server = await startServe(["--redis", redis.url]);
    expect((await client.submit("job number 9", { prompt: "a cat", seed: 9, steps: 8 })).id).toBe(ids[9]);
    const jobs = await client.finished(ids);
    expect(jobs.map(({ state, pictures }) => [state, pictures.map(({ seed }) => seed)])).toEqual(
      ids.map((_, i) => ["done", [i]]),
    );
    const { jobs: counts } = (await (await fetch(`${server.url}/api/status`)).json()) as {
      jobs: Record<string, number>;
    };
    expect(counts).toMatchObject({ waiting: 0, running: 0, done: 12 });
  });

  it("begin again, elsewhere, what a lost worker had in hand", async () => {
    for (const worker of workers) await worker.stop();
    const lost = await startWorker();
    const { id } = await client.submit("job in hand", { prompt: "a dog", seed: 1, steps: 20, count: 8 });
    await until(async () => (await client.find(id)).pictures.length > 0);
    await lost.kill();
    await startWorker();
    const [job] = await client.finished([id]);
    expect(job).toMatchObject({ state: "done", attempts: 2 });
    expect(job!.pictures.map(({ seed }) => seed)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("end in order", async () => {
    expect(await workers.at(-1)!.stop()).toBe(0);
    expect(await server.stop()).toBe(0);
  });
});
