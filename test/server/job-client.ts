import type { ShownJob } from "../../src/server/schemas/job.ts";
import { until } from "../running-server.ts";

/** Hands in jobs and looks at them, as a client does that asks again when it gets no answer. */
export interface JobClient {
  /** Hands in a job under a key; asks until it is held. */
  submit(key: string, request: object): Promise<ShownJob>;
  find(id: string): Promise<ShownJob>;
  /** Waits until all are finished. */
  finished(ids: readonly string[]): Promise<readonly ShownJob[]>;
}

/** @param url where the server is at the moment; it may be another one after a restart */
export function jobClient(url: () => string): JobClient {
  const ask = (path: string, init?: RequestInit): Promise<ShownJob> =>
    until(async () => {
      // Undefined while the server is away.
      const response = await fetch(url() + path, { ...init, signal: AbortSignal.timeout(5000) }).catch(() => undefined);
      if (response === undefined || response.status === 429 || response.status >= 500) return false;
      if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
      return (await response.json().catch(() => undefined)) as ShownJob | undefined;
    });
  const find = (id: string): Promise<ShownJob> => ask(`/api/jobs/${id}`);
  return {
    submit(key, request) {
      const headers = { "content-type": "application/json", "idempotency-key": key };
      return ask("/api/jobs", { method: "POST", headers, body: JSON.stringify(request) });
    },
    find,
    finished: (ids) =>
      until(async () => {
        const jobs: ShownJob[] = [];
        for (const id of ids) {
          const job = await find(id);
          if (job.state === "waiting" || job.state === "running") return false;
          jobs.push(job);
        }
        return jobs;
      }),
  };
}
