import type { Catalog } from "../catalog.ts";
import { batchGauge } from "../engine/batch-gauge.ts";
import { createEngine } from "../engine/engine.ts";
import { drawJobs } from "../jobs/drawing-loop.ts";
import type { ServerLog } from "../server-log.ts";
import { redisSource } from "./redis-source.ts";

export interface WorkerSettings {
  readonly url: string;
  readonly catalog: Catalog;
  readonly mostInBatch: number;
  readonly jobSeconds: number;
  readonly log: ServerLog;
  readonly prefix?: string;
  readonly lockMs?: number;
}

export interface RunningWorker {
  readonly enginePid: () => number | undefined;
  /** Finishes what is being drawn, gives back the rest, and ends. */
  close(): Promise<void>;
}

/**
 * Draws jobs of a queue in Redis.
 * @throws UsageError when there is no such Redis
 */
export async function startWorker(settings: WorkerSettings): Promise<RunningWorker> {
  const { url, catalog, mostInBatch, jobSeconds, log, prefix, lockMs } = settings;
  const source = await redisSource(url, {
    onError: (message, error) => log.error(message, { error }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(lockMs === undefined ? {} : { lockMs }),
  });
  const engine = createEngine((text) => log.error("engine", { output: text.trim() }));
  const stop = new AbortController();
  const gauge = batchGauge(mostInBatch);
  const drawing = drawJobs(
    {
      source,
      engine,
      gauge,
      catalog,
      log,
      mostInBatch,
      jobSeconds,
      onDrawn: ({ pictures, seconds }, jobs) => log.info("drawn", { jobs, pictures, ms: Math.round(1000 * seconds) }),
    },
    stop.signal,
  );
  return {
    enginePid: () => engine.pid,
    async close() {
      stop.abort();
      await drawing;
      await engine.close();
      await source.close();
    },
  };
}
