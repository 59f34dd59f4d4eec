import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shippedModelFolder } from "../src/node/shipped-model.ts";
import { openCatalog } from "../src/server/catalog.ts";
import { type SqliteQueue, sqliteQueue } from "../src/server/jobs/sqlite-queue.ts";
import { type Limits, limitDefaults } from "../src/server/limits.ts";
import { serverLog } from "../src/server/server-log.ts";
import { type RunningServer, startServer } from "../src/server/start-server.ts";

/** What a test may want otherwise. */
export interface TestServerOptions {
  readonly limits?: Partial<Limits>;
  readonly apiKey?: string;
  readonly mostInBatch?: number;
  readonly page?: string;
  /** Whether jobs are drawn; else they wait for ever. */
  readonly draws?: boolean;
}

export interface TestServer extends RunningServer, AsyncDisposable {
  readonly queue: SqliteQueue;
  readonly log: readonly string[];
  /** Asks an address of the server; a body is sent as JSON. */
  ask(path: string, body?: unknown, init?: RequestInit): Promise<Response>;
}

/** A server in this process on a free port, with the shipped model and a queue of its own. */
export async function runServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { limits = {}, apiKey, mostInBatch = 1, page, draws = true } = options;
  const folder = await mkdtemp(join(tmpdir(), "fourstep-server-"));
  const all = { ...limitDefaults, ...limits };
  const queue = await sqliteQueue(folder, all);
  const log: string[] = [];
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    catalog: await openCatalog({ model: shippedModelFolder(), modelFolders: [], loraFolders: [] }),
    limits: all,
    queue,
    source: draws ? queue : undefined,
    mostInBatch,
    apiKey,
    log: serverLog((line) => log.push(line)),
    page: page ?? join(folder, "no page"),
  });
  return {
    ...server,
    queue,
    log,
    ask(path, body, init = {}) {
      const { headers, ...rest } = init;
      const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      const type = body === undefined ? {} : { "content-type": "application/json" };
      return fetch(server.url + path, {
        ...sent,
        ...rest,
        headers: { ...type, ...(headers as Record<string, string>) },
      });
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until a condition holds; a test that waits in vain fails by its own time limit. */
export async function until<T>(condition: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Server-sent events of a response, as they come. */
export async function* readEvents(
  response: Response,
): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const event = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) as unknown };
    }
  }
}
