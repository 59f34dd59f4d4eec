import type { Job } from "../jobs/job.ts";
import type { Work } from "../jobs/job-queue.ts";
import { cancelledReason, jobOfBull, reasonOf, type StoredJob, sentEvent } from "./bull-job.ts";
import type { RedisSpace } from "./redis-space.ts";

/** A job of BullMQ's queue in the hands of a worker. */
export interface BullWork extends Work {
  /** For another worker to take. */
  giveBack(): Promise<void>;
}

export interface BullHold {
  /** Of the worker; what is done with a job that another has taken over is refused. */
  readonly token: string;
  readonly lockMs: number;
  readonly hand: AbortController;
  readonly keptSeconds: number;
  /** Called when the job is out of hand. */
  readonly ended: () => void;
  /** Takes a job that is to be drawn again by this worker. */
  readonly again: (work: BullWork) => void;
}

/** Holds a fetched job: says regularly that it is in hand, until it is settled. */
export async function bullWork(space: RedisSpace, stored: StoredJob, hold: BullHold): Promise<BullWork> {
  const job = (await jobOfBull(space, stored)) as Job;
  const { token, lockMs, hand } = hold;
  const beat = setInterval(() => {
    // Who has lost a job to another stops drawing it.
    stored.extendLock(token, lockMs).catch(() => hand.abort());
  }, lockMs / 3);
  const settle = async (action: () => Promise<unknown>): Promise<void> => {
    clearInterval(beat);
    try {
      await action();
    } finally {
      hold.ended();
    }
  };
  return heldWork(space, stored, { ...job, state: "running" }, hold, settle, false);
}

function heldWork(
  space: RedisSpace,
  stored: StoredJob,
  job: Job,
  hold: BullHold,
  settle: (action: () => Promise<unknown>) => Promise<void>,
  alone: boolean,
): BullWork {
  const { client, key, bullmq } = space;
  const { token, keptSeconds } = hold;
  const fail = (reason: string): Promise<void> =>
    settle(() => stored.moveToFailed(new bullmq.UnrecoverableError(reason), token, false));
  const send = (event: Parameters<Work["report"]>[0]): void => {
    // Who watches misses an event while Redis is away; the job's state is not lost by it.
    stored.updateProgress(sentEvent(event)).catch(() => {});
  };
  return {
    job,
    alone,
    signal: hold.hand.signal,
    report: send,
    async keep(record, png) {
      const [records, pictures] = [key("records", job.pictureKey), key("pictures", job.pictureKey)];
      await client
        .multi()
        .hset(pictures, String(record.number), Buffer.from(png))
        .hset(records, String(record.number), JSON.stringify(record))
        .expire(pictures, keptSeconds)
        .expire(records, keptSeconds)
        .exec();
      send({ kind: "picture", picture: record.number });
    },
    done: (warnings) => settle(() => stored.moveToCompleted({ warnings }, token, false)),
    fail: (failure) => fail(reasonOf(failure)),
    cancelled: () => fail(cancelledReason),
    async release({ alone: apart }) {
      const next = { ...job, attempts: job.attempts + 1 };
      hold.again(heldWork(space, stored, next, hold, settle, alone || apart));
    },
    giveBack: () => settle(() => stored.moveToWait(token)),
  };
}
