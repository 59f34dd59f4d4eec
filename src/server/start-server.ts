import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer, type ServerType } from "@hono/node-server";
import { UsageError } from "../errors.ts";
import { packageVersion } from "../node/package-version.ts";
import type { Catalog } from "./catalog.ts";
import { batchGauge } from "./engine/batch-gauge.ts";
import { createEngine } from "./engine/engine.ts";
import { createApp } from "./http/app.ts";
import { drawJobs } from "./jobs/drawing-loop.ts";
import type { JobQueue, WorkSource } from "./jobs/job-queue.ts";
import type { Limits } from "./limits.ts";
import type { ServerLog } from "./server-log.ts";
import { serverMetrics } from "./server-metrics.ts";

export interface ServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly catalog: Catalog;
  readonly limits: Limits;
  readonly queue: JobQueue;
  /** Where this process takes jobs that it draws itself; undefined where others draw. */
  readonly source: WorkSource | undefined;
  readonly mostInBatch: number;
  readonly apiKey: string | undefined;
  readonly log: ServerLog;
  /** Folder of the page; the built one, where it is, unless told. */
  readonly page?: string;
}

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** The engine's process, once it was needed. */
  readonly enginePid: () => number | undefined;
  /** Takes nothing new, finishes what is being drawn, and ends. Waiting jobs stay in the queue. */
  close(): Promise<void>;
}

/** The page's folder, built by `npm run build:page`: `dist/page` beside both `src` and `dist/server`. */
const builtPage = (): string => fileURLToPath(new URL("../../dist/page", import.meta.url));

/** @throws UsageError when the address cannot be used */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, catalog, limits, queue, source, log, page = builtPage() } = options;
  const [draining, closing] = [new AbortController(), new AbortController()];
  const engine = createEngine((text) => log.error("engine", { output: text.trim() }));
  const metrics = serverMetrics(queue, () => engine.starts);
  const parts = {
    queue,
    catalog,
    limits,
    log,
    metrics,
    version: packageVersion(),
    draining: draining.signal,
    closing: closing.signal,
  };
  const app = createApp(parts, {
    apiKey: options.apiKey,
    hosts: isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]", host] : undefined,
    page: existsSync(page) ? page : undefined,
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  // Longer than proxies and clients keep theirs, so that none writes into a line that is just closed.
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = keepAliveMs;
  const port = await listen(server, host, options.port);
  const drawing =
    source === undefined
      ? Promise.resolve()
      : drawJobs(
          {
            source,
            engine,
            gauge: batchGauge(options.mostInBatch),
            catalog,
            log,
            mostInBatch: options.mostInBatch,
            jobSeconds: limits.jobSeconds,
            onDrawn: ({ pictures, seconds }, jobs) => metrics.drawn(pictures, jobs, seconds),
          },
          draining.signal,
        );
  let closed: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    draining.abort();
    await drawing;
    // Answers to those who waited are on their way; streams of jobs that wait on have nothing more to tell.
    const over = new Promise<void>((resolve) => server.close(() => resolve()));
    closing.abort();
    if ("closeIdleConnections" in server) server.closeIdleConnections();
    const last = setTimeout(() => {
      if ("closeAllConnections" in server) server.closeAllConnections();
    }, lastAnswersMs);
    await over;
    clearTimeout(last);
    await engine.close();
    await queue.close();
  };
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    enginePid: () => engine.pid,
    close() {
      closed ??= end();
      return closed;
    },
  };
}

const lastAnswersMs = 2000;
const keepAliveMs = 75_000;

/** Whether only programs of this machine reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

function listen(server: ServerType, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "another program listens there" : (cause.code ?? cause.message);
      reject(
        new UsageError(`${host}:${port}: the server cannot listen there (${why}); choose another --port.`, { cause }),
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
