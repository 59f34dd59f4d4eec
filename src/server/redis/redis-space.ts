import type { Redis } from "ioredis";
import { UsageError } from "../../errors.ts";

/** Where servers and workers of one Redis meet. */
export interface RedisSpace {
  readonly url: string;
  /** Of BullMQ's queue. */
  readonly queueName: string;
  /** Before all keys. */
  readonly prefix: string;
  readonly client: Redis;
  readonly bullmq: typeof import("bullmq");
  /** The name of a key of this project's own. */
  key(...parts: readonly (string | number)[]): string;
  /** A connection of its own, for messages. */
  connect(): Redis;
  close(): Promise<void>;
}

/** The channel on which servers tell workers of jobs to stop. */
export const cancelChannel = "cancel";

const connectMs = 5000;

/**
 * Connects to Redis.
 * @throws UsageError when BullMQ is not installed, or there is no Redis that answers
 */
export async function redisSpace(url: string, prefix = "fourstep"): Promise<RedisSpace> {
  const [bullmq, ioredis] = await Promise.all([import("bullmq"), import("ioredis")]).catch((cause: unknown) => {
    throw new UsageError("--redis needs the packages bullmq and ioredis, which were not installed; install them.", {
      cause,
    });
  });
  const connect = (): Redis => new ioredis.Redis(url, { maxRetriesPerRequest: null });
  const client = connect();
  // What ioredis cannot do at once it does when Redis is back; its complaints would end the process.
  client.on("error", () => {});
  const answered = await Promise.race([
    client.ping().then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), connectMs).unref()),
  ]).catch(() => false);
  if (!answered) {
    client.disconnect();
    const { host } = hostOf(url);
    throw new UsageError(`No Redis answers at ${host}; check --redis, and that the server runs.`);
  }
  return {
    url,
    queueName: "jobs",
    prefix,
    client,
    bullmq,
    key: (...parts) => [prefix, ...parts].join(":"),
    connect() {
      const connection = connect();
      connection.on("error", () => {});
      return connection;
    },
    async close() {
      await client.quit();
    },
  };
}

/** An address without the password in it. */
function hostOf(url: string): { readonly host: string } {
  try {
    return { host: new URL(url).host };
  } catch {
    throw new UsageError(`"${url}" is no address of a Redis; write redis://host:6379.`);
  }
}
