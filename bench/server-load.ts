/**
 * A load test with losses: clients hand in jobs while servers and workers are killed (kill -9) and started again. Says how
 * many jobs were held, done, lost and doubled; a job counts as held once a client has its answer.
 *
 * A job is doubled when the queue has it twice, or it has more pictures than it asked for; that its drawing was begun again
 * after a loss is counted apart.
 *
 * Run: npm run bench:server-load -- [--jobs 200] [--clients 8] [--kills 5] [--redis] [--workers 2] [--steps 2]
 * With --redis, a redis-server is started and killed workers are taken over by others.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ShownJob } from "../src/server/schemas/job.ts";
import { jobClient } from "../test/server/job-client.ts";
import {
  type Fourstep,
  freePort,
  type ServingFourstep,
  startFourstep,
  startRedis,
  startServe,
} from "../test/server/processes.ts";

const { values: options } = parseArgs({
  options: {
    jobs: { type: "string", default: "200" },
    clients: { type: "string", default: "8" },
    kills: { type: "string", default: "5" },
    steps: { type: "string", default: "2" },
    redis: { type: "boolean", default: false },
    workers: { type: "string", default: "2" },
  },
});
const [jobs, clients, kills, steps, workerCount] = [
  options.jobs,
  options.clients,
  options.kills,
  options.steps,
  options.workers,
].map(Number) as [number, number, number, number, number];

const data = await mkdtemp(join(tmpdir(), "fourstep-load-"));
const redis = options.redis ? await startRedis(await freePort()) : undefined;
const where = redis === undefined ? ["--data", data] : ["--redis", redis.url];
const startServer = (): Promise<ServingFourstep> =>
  startServe([...where, "--queue", String(jobs), "--keep", String(jobs + 10)]);
const startWorker = (): Fourstep => startFourstep(["worker", ...where, "--lock-seconds", "3"]);

let server = await startServer();
const workers = redis === undefined ? [] : Array.from({ length: workerCount }, startWorker);
const client = jobClient(() => server.url);
const held = new Map<string, number>();
const begin = performance.now();

/** One of several that hand in jobs at once. */
async function handIn(first: number): Promise<void> {
  for (let i = first; i < jobs; i += clients) {
    const { id } = await client.submit(`load job ${i}`, { prompt: "a red apple", seed: i, steps });
    held.set(id, i);
  }
}

/** Kills the server, or in turn a worker, so many times, spread over the jobs. */
async function kill(): Promise<void> {
  for (let n = 1; n <= kills; n++) {
    const share = n / (kills + 1);
    while ((await doneCount()) < share * jobs) await new Promise((resolve) => setTimeout(resolve, 50));
    const worker = workers[n % Math.max(1, workers.length)];
    if (worker !== undefined && n % 2 === 0) {
      await worker.kill();
      workers[n % workers.length] = startWorker();
    } else {
      await server.kill();
      server = await startServer();
    }
  }
}

async function doneCount(): Promise<number> {
  const status = await fetch(`${server.url}/api/status`).then(
    (response) => response.json() as Promise<{ jobs: Record<string, number> }>,
    () => undefined,
  );
  return status?.jobs["done"] ?? 0;
}

await Promise.all([...Array.from({ length: clients }, (_, i) => handIn(i)), kill()]);
const finished = await client.finished([...held.keys()]);
const seconds = (performance.now() - begin) / 1000;
const listed = (await (await fetch(`${server.url}/api/jobs?limit=1000`)).json()) as ShownJob[];

const done = finished.filter(({ state, pictures }) => state === "done" && pictures.length === 1);
const wrong = done.filter(({ id, pictures }) => pictures[0]!.seed !== held.get(id));
const doubled = listed.length - new Set(listed.map(({ request }) => request.seed)).size;
const lines = [
  `${redis === undefined ? "embedded queue" : `Redis, ${workerCount} workers`}, ${clients} clients, ${kills} kills`,
  `jobs held ${held.size}, done ${done.length}, lost ${held.size - done.length - wrong.length}, doubled ${doubled}, wrong ${wrong.length}`,
  `begun again after a loss: ${finished.filter(({ attempts }) => attempts > 1).length}`,
  `${seconds.toFixed(1)} s, ${(jobs / seconds).toFixed(2)} jobs a second with the losses`,
];
process.stdout.write(`${lines.join("\n")}\n`);
await Promise.all([server, ...workers].map((one) => one.stop()));
await redis?.stop();
await rm(data, { recursive: true, force: true });
if (done.length !== jobs || doubled > 0 || wrong.length > 0) process.exitCode = 1;
