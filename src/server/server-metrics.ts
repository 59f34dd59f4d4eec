import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { JobQueue } from "./jobs/job-queue.ts";

/** What Prometheus is told. */
export interface ServerMetrics {
  request(route: string, method: string, status: number, seconds: number): void;
  drawn(pictures: number, jobs: number, seconds: number): void;
  /** In Prometheus' text form. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** @param engineStarts how often the engine was started */
export function serverMetrics(queue: Pick<JobQueue, "counts">, engineStarts: () => number): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "fourstep_http_request_duration_seconds",
    help: "Time from a request to the end of its response.",
    labelNames: ["route", "method", "status"] as const,
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
    registers,
  });
  const pictures = new Counter({ name: "fourstep_pictures_total", help: "Pictures drawn.", registers });
  const drawings = new Histogram({
    name: "fourstep_drawing_duration_seconds",
    help: "Time that the engine took for a job, or for several at once.",
    labelNames: ["jobs"] as const,
    buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300],
    registers,
  });
  new Gauge({
    name: "fourstep_jobs",
    help: "Jobs that the queue holds, by their state.",
    labelNames: ["state"] as const,
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await queue.counts())) this.set({ state }, count);
    },
  });
  new Gauge({
    name: "fourstep_engine_starts",
    help: "How often the engine's process was started; more than once after a breakdown.",
    registers,
    collect() {
      this.set(engineStarts());
    },
  });
  return {
    request: (route, method, status, seconds) => requests.observe({ route, method, status: String(status) }, seconds),
    drawn(count, jobs, seconds) {
      pictures.inc(count);
      drawings.observe({ jobs: String(jobs) }, seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
