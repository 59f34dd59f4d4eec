import type { Catalog } from "./catalog.ts";
import type { JobQueue } from "./jobs/job-queue.ts";
import type { Limits } from "./limits.ts";
import type { ServerLog } from "./server-log.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** What the routes of a server share. */
export interface ServerParts {
  readonly queue: JobQueue;
  readonly catalog: Catalog;
  readonly limits: Limits;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  readonly version: string;
  /** Aborted when the server is about to end: it takes nothing new, and finishes what is being drawn. */
  readonly draining: AbortSignal;
  /** Aborted when what was being drawn is finished. */
  readonly closing: AbortSignal;
}
