import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { type Catalog, openCatalog } from "../server/catalog.ts";
import { sqliteQueue } from "../server/jobs/sqlite-queue.ts";
import { type Limits, limitDefaults } from "../server/limits.ts";
import { serverLog } from "../server/server-log.ts";
import { isLoopback, startServer } from "../server/start-server.ts";
import type { CliContext } from "./command.ts";

/** What server and worker are told. */
interface DrawingOptions {
  readonly model?: string;
  readonly models?: readonly string[];
  readonly loras?: readonly string[];
  readonly batch: number;
  readonly jobSeconds: number;
  readonly redis?: string;
}

/** What `fourstep serve` was told. */
export interface ServeOptions extends DrawingOptions {
  readonly host: string;
  readonly port: number;
  readonly open?: boolean;
  readonly data?: string;
  readonly queue: number;
  readonly maxSide: number;
  readonly maxSteps: number;
  readonly maxCount: number;
  readonly maxBody: number;
  readonly waitSeconds: number;
  readonly keep: number;
  readonly json?: boolean;
}

/** What `fourstep worker` was told. */
export interface WorkerOptions extends DrawingOptions {
  readonly lockSeconds: number;
}

/**
 * Serves until the user stops it.
 * @throws UsageError when something that was given cannot be used
 */
export async function serve(options: ServeOptions, context: CliContext): Promise<void> {
  const { host, port, batch, json, redis } = options;
  const apiKey = context.env["FOURSTEP_API_KEY"]?.trim() || undefined;
  if (!isLoopback(host) && apiKey === undefined && options.open !== true) {
    throw new UsageError(
      `Other machines reach ${host}: set a key with FOURSTEP_API_KEY in the environment, or say --open to ask for none.`,
    );
  }
  const log = serverLog((line) => context.stderr.write(line));
  const limits = limitsOf(options);
  const catalog = await catalogOf(options);
  const embedded =
    redis === undefined ? await sqliteQueue(options.data ?? stateFolder(context.env), limits) : undefined;
  const queue = embedded ?? (await (await import("../server/redis/redis-queue.ts")).redisQueue(redis!, limits));
  const server = await startServer({
    host,
    port,
    catalog,
    limits,
    queue,
    source: embedded,
    mostInBatch: batch,
    apiKey,
    log,
  }).catch(async (error: unknown) => {
    await queue.close();
    throw error;
  });
  context.stdout.write(
    json === true ? `${JSON.stringify({ url: server.url, port: server.port })}\n` : `${server.url}\n`,
  );
  log.info("listening", { url: server.url, model: catalog.usual.name, key: apiKey !== undefined });
  await stopped(context.signal);
  log.info("stopping; what is being drawn is finished");
  await server.close();
  log.info("stopped");
}

/**
 * Draws jobs of a queue in Redis until the user stops it.
 * @throws UsageError when something that was given cannot be used
 */
export async function work(options: WorkerOptions, context: CliContext): Promise<void> {
  const { redis: url, batch, jobSeconds, lockSeconds } = options;
  if (url === undefined)
    throw new UsageError("--redis is missing: say where the jobs are, e.g. redis://127.0.0.1:6379.");
  const log = serverLog((line) => context.stderr.write(line));
  const catalog = await catalogOf(options);
  const { startWorker } = await import("../server/redis/start-worker.ts");
  const worker = await startWorker({ url, catalog, mostInBatch: batch, jobSeconds, log, lockMs: 1000 * lockSeconds });
  log.info("waiting for jobs", { model: catalog.usual.name });
  await stopped(context.signal);
  log.info("stopping; what is being drawn is finished");
  await worker.close();
  log.info("stopped");
}

const catalogOf = ({ model, models, loras }: DrawingOptions): Promise<Catalog> =>
  openCatalog({ model: model ?? shippedModelFolder(), modelFolders: models ?? [], loraFolders: loras ?? [] });

const limitsOf = (options: ServeOptions): Limits => ({
  ...limitDefaults,
  side: options.maxSide,
  steps: options.maxSteps,
  count: options.maxCount,
  bodyBytes: options.maxBody * 2 ** 20,
  queue: options.queue,
  jobSeconds: options.jobSeconds,
  waitSeconds: options.waitSeconds,
  kept: options.keep,
});

/** Where programs keep what outlives them, as freedesktop.org says. */
function stateFolder(env: CliContext["env"]): string {
  const given = env["XDG_STATE_HOME"];
  return join(given === undefined || given === "" ? join(homedir(), ".local", "state") : given, "fourstep");
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
