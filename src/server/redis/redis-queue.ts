import { randomBytes, randomUUID } from "node:crypto";
import type { JobType } from "bullmq";
import { batchKeyOf } from "../jobs/batch-key.ts";
import type { Job } from "../jobs/job.ts";
import { jobListeners } from "../jobs/job-listeners.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import { queueFull } from "../jobs/sqlite-queue.ts";
import type { Limits } from "../limits.ts";
import type { JobState } from "../schemas/job.ts";
import {
  bullPriority,
  type JobData,
  type JobResult,
  jobOfBull,
  receivedEvent,
  type SentEvent,
  type StoredJob,
} from "./bull-job.ts";
import { cancelChannel, type RedisSpace, redisSpace } from "./redis-space.ts";

const waitingTypes: readonly JobType[] = ["waiting", "prioritized", "delayed"];

const typesOf: Readonly<Record<JobState, readonly JobType[]>> = {
  waiting: waitingTypes,
  running: ["active"],
  done: ["completed"],
  failed: ["failed"],
  cancelled: ["failed"],
};

/** Events that Redis keeps for those who listen a little later. */
const keptEvents = 2000;

/**
 * The queue of many machines: BullMQ's in Redis, which servers fill and workers empty.
 * @throws UsageError when there is no such Redis
 */
export async function redisQueue(
  url: string,
  limits: Pick<Limits, "queue" | "kept" | "keptSeconds">,
  prefix?: string,
): Promise<JobQueue> {
  const space = await redisSpace(url, prefix);
  const { bullmq, client, key, queueName } = space;
  const keep = { age: limits.keptSeconds, count: limits.kept };
  const shared = { connection: { url }, prefix: space.prefix };
  const queue = new bullmq.Queue<JobData, JobResult, string, JobData, JobResult, string>(queueName, {
    ...shared,
    streams: { events: { maxLen: keptEvents } },
    defaultJobOptions: { attempts: 1, removeOnComplete: keep, removeOnFail: keep },
  });
  const events = new bullmq.QueueEvents(queueName, shared);
  // Connections come back by themselves; until then requests wait.
  queue.on("error", () => {});
  events.on("error", () => {});
  const listeners = jobListeners();
  const tellState = async (id: string): Promise<void> => {
    const job = await find(id);
    if (job !== undefined) listeners.tell(id, { kind: "state", state: job.state });
  };
  for (const name of ["active", "completed", "failed", "waiting", "removed"] as const) {
    events.on(name, ({ jobId }: { readonly jobId: string }) => void tellState(jobId).catch(() => {}));
  }
  events.on("progress", ({ jobId, data }) => listeners.tell(jobId, receivedEvent(data as unknown as SentEvent)));
  await events.waitUntilReady();

  const find = async (id: string): Promise<Job | undefined> => {
    const stored = (await queue.getJob(id)) as StoredJob | undefined;
    const job = stored === undefined ? undefined : await jobOfBull(space, stored);
    return job ?? tombstone(space, id);
  };

  return {
    async add({ request, priority, id = randomUUID() }) {
      const known = await find(id);
      if (known !== undefined) return known;
      if ((await queue.getJobCountByTypes(...waitingTypes)) >= limits.queue) throw queueFull(limits.queue);
      const data: JobData = {
        request,
        pictureKey: randomBytes(18).toString("base64url"),
        batchKey: batchKeyOf(request),
        priority,
      };
      await queue.add("draw", data, { jobId: id, priority: bullPriority(priority) });
      return (await find(id))!;
    },
    find,
    async list({ state, limit }) {
      const types =
        state === undefined ? ([...new Set(Object.values(typesOf).flat())] as JobType[]) : [...typesOf[state]];
      const stored = (await queue.getJobs(types, 0, limit - 1, false)) as (StoredJob | undefined)[];
      const jobs = await Promise.all(stored.map((one) => (one === undefined ? undefined : jobOfBull(space, one))));
      const taken = state === undefined || state === "cancelled" ? await tombstones(space, limit) : [];
      return [...jobs.filter((job) => job !== undefined), ...taken]
        .filter((job) => state === undefined || job.state === state)
        .sort((a, b) => b.created - a.created)
        .slice(0, limit);
    },
    async cancel(id) {
      const job = await find(id);
      if (job === undefined || (job.state !== "waiting" && job.state !== "running")) return job;
      await client.set(key("cancel", id), "1", "EX", limits.keptSeconds);
      await client.publish(key(cancelChannel), id);
      if (job.state === "waiting" && (await bury(space, job, limits.keptSeconds, () => queue.remove(id)))) {
        listeners.tell(id, { kind: "state", state: "cancelled" });
      }
      return find(id);
    },
    async picture(pictureKey, number) {
      return (await client.hgetBuffer(key("pictures", pictureKey), String(number))) ?? undefined;
    },
    follow: listeners.add,
    async counts() {
      const counts = await queue.getJobCounts(...waitingTypes, "active", "completed", "failed");
      const of = (types: readonly string[]): number => types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
      return {
        waiting: of(waitingTypes),
        running: of(["active"]),
        done: of(["completed"]),
        // Those that were stopped while they were drawn are among the failed ones here.
        failed: of(["failed"]),
        cancelled: await client.zcard(key("cancelled")),
      };
    },
    async close() {
      await Promise.all([events.close(), queue.close()]);
      await space.close();
    },
  };
}

/** Takes a waiting job out of BullMQ's queue, and keeps what it was; false when a worker was faster. */
async function bury(
  { client, key }: RedisSpace,
  job: Job,
  keptSeconds: number,
  remove: () => Promise<number>,
): Promise<boolean> {
  const buried: Job = { ...job, state: "cancelled", finished: Date.now() };
  // Kept first: a server that is lost in between leaves a job that the worker stops, never one that nobody knows.
  await client.set(key("cancelled", job.id), JSON.stringify(buried), "EX", keptSeconds);
  if ((await remove().catch(() => 0)) === 0) {
    await client.del(key("cancelled", job.id));
    return false;
  }
  await client.zadd(key("cancelled"), buried.finished!, job.id);
  await client.zremrangebyscore(key("cancelled"), 0, buried.finished! - 1000 * keptSeconds);
  return true;
}

async function tombstone({ client, key }: RedisSpace, id: string): Promise<Job | undefined> {
  const text = await client.get(key("cancelled", id));
  return text === null ? undefined : (JSON.parse(text) as Job);
}

async function tombstones(space: RedisSpace, limit: number): Promise<Job[]> {
  const ids = await space.client.zrevrange(space.key("cancelled"), 0, limit - 1);
  const jobs = await Promise.all(ids.map((id) => tombstone(space, id)));
  return jobs.filter((job) => job !== undefined);
}
