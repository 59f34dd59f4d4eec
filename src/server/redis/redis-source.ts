import { randomUUID } from "node:crypto";
import type { Worker } from "bullmq";
import type { Work, WorkSource } from "../jobs/job-queue.ts";
import { limitDefaults } from "../limits.ts";
import type { JobData, JobResult, StoredJob } from "./bull-job.ts";
import { type BullWork, bullWork } from "./bull-work.ts";
import { cancelChannel, redisSpace } from "./redis-space.ts";

/** A job whose worker did not speak up for so long is begun again by another. */
const lockMs = 30_000;

/** A job whose workers were lost more often than this is given up: it may be what ends them. */
const mostLost = 2;

/** How long a worker that has nothing to do waits for one answer of Redis, in seconds; it hears of its end no sooner. */
const waitSeconds = 2;

/** The jobs of a queue in Redis, for a worker that draws them. */
export interface RedisSource extends WorkSource {
  close(): Promise<void>;
}

export interface RedisSourceOptions {
  readonly prefix?: string;
  readonly lockMs?: number;
  readonly onError: (message: string, error: unknown) => void;
}

/** @throws UsageError when there is no such Redis */
export async function redisSource(url: string, options: RedisSourceOptions): Promise<RedisSource> {
  const space = await redisSpace(url, options.prefix);
  const { bullmq, queueName, key } = space;
  const lock = options.lockMs ?? lockMs;
  // Its jobs are fetched one by one, since only the drawing loop knows when another fits.
  const worker: Worker<JobData, JobResult, string> = new bullmq.Worker(queueName, null, {
    connection: { url },
    prefix: space.prefix,
    autorun: false,
    lockDuration: lock,
    stalledInterval: lock / 2,
    maxStalledCount: mostLost,
    drainDelay: waitSeconds,
  });
  worker.on("error", (error) => options.onError("Redis does not answer.", error));
  await worker.waitUntilReady();
  void worker.startStalledCheckTimer();
  const token = randomUUID();
  const hands = new Map<string, AbortController>();
  const subscriber = space.connect();
  await subscriber.subscribe(key(cancelChannel));
  subscriber.on("message", (_channel, id) => hands.get(id)?.abort());

  /** Jobs in hand that are not drawn yet: fetched for company that did not fit, or to be drawn again. */
  const held: BullWork[] = [];
  const fetch = async (block: boolean): Promise<BullWork | undefined> => {
    const stored = (await worker.getNextJob(token, { block })) as StoredJob | undefined;
    if (stored === undefined) return undefined;
    const hand = new AbortController();
    hands.set(stored.id!, hand);
    const work = await bullWork(space, stored, {
      token,
      lockMs: lock,
      hand,
      keptSeconds: limitDefaults.keptSeconds,
      ended: () => hands.delete(stored.id!),
      again: (one) => held.push(one),
    });
    if ((await space.client.exists(key("cancel", stored.id!))) === 0) return work;
    await work.cancelled();
    return fetch(block);
  };

  return {
    async take(signal) {
      while (!signal.aborted) {
        const work = held.shift() ?? (await fetchPatiently(fetch, options.onError));
        if (work === undefined) continue;
        if (!signal.aborted) return work;
        held.push(work);
      }
      return undefined;
    },
    async takeLike(batchKey, mostPictures) {
      const taken: Work[] = [];
      let room = mostPictures;
      while (room > 0 && held.length === 0) {
        const work = await fetch(false);
        if (work === undefined) break;
        const { batchKey: own, request } = work.job;
        if (own !== batchKey || request.count > room) {
          held.push(work);
          break;
        }
        taken.push(work);
        room -= request.count;
      }
      return taken;
    },
    async close() {
      await Promise.all(held.splice(0).map((work) => work.giveBack()));
      await worker.close();
      subscriber.disconnect();
      await space.close();
    },
  };
}

/** A Redis that is away comes back. */
async function fetchPatiently(
  fetch: (block: boolean) => Promise<BullWork | undefined>,
  onError: RedisSourceOptions["onError"],
): Promise<BullWork | undefined> {
  try {
    return await fetch(true);
  } catch (error) {
    onError("No job could be fetched.", error);
    await new Promise((resolve) => setTimeout(resolve, 1000 * waitSeconds));
    return undefined;
  }
}
