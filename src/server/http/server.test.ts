import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runServer, type TestServer, until } from "../../../test/running-server.ts";

let page: string;
let server: TestServer;
beforeAll(async () => {
  page = await mkdtemp(join(tmpdir(), "fourstep-page-"));
  await mkdir(join(page, "assets"));
  await writeFile(join(page, "index.html"), "<title>page</title>");
  await writeFile(join(page, "assets", "page.js"), "export {};");
  await writeFile(join(page, "..", "fourstep-secret"), "secret");
  server = await runServer({ apiKey: "right", page, limits: { bodyBytes: 10_000 }, draws: false });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(page, { recursive: true });
});

const key = { authorization: "Bearer right" };
const asked = (path: string, headers: Record<string, string> = key) => server.ask(path, undefined, { headers });

/** Sends words that a client of good manners would not. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (data) => (answer += data)).on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

describe("the key", () => {
  it.each([
    [{}, 401],
    [{ authorization: "Bearer wrong" }, 401],
    [{ authorization: "Bearer right" }, 200],
    [{ "x-api-key": "right" }, 200],
    [{ authorization: `Basic ${btoa("me:right")}` }, 200],
    [{ authorization: `Basic ${btoa("right:me")}` }, 401],
  ])("%j gives %i", async (headers, status) => {
    for (const path of ["/api/status", "/v1/models", "/sdapi/v1/options", "/metrics"]) {
      expect((await asked(path, headers as Record<string, string>)).status).toBe(status);
    }
  });

  it("is not asked for where nothing is told", async () => {
    for (const path of ["/healthz", "/", "/assets/page.js", "/openapi.json"]) {
      expect((await asked(path, {})).status).toBe(200);
    }
    expect((await asked("/pictures/guessed/0.png", {})).status).toBe(404);
  });
});

describe("pages of other sites", () => {
  it("are refused, and no header lets them in", async () => {
    const other = await asked("/api/status", { ...key, origin: "https://other.example" });
    expect(other.status).toBe(403);
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    expect((await asked("/api/status", { ...key, origin: server.url })).status).toBe(200);
    expect((await asked("/api/status", { ...key, origin: "null" })).status).toBe(403);
  });

  it("are refused also by a name that was pointed here", async () => {
    const answer = await raw(
      "GET /api/status HTTP/1.1\r\nHost: rebound.example\r\nAuthorization: Bearer right\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  it("cannot hand in jobs by a form", async () => {
    const body = JSON.stringify({ prompt: "x" });
    const headers = { ...key, "content-type": "text/plain" };
    const response = await server.ask("/api/jobs", undefined, { method: "POST", body, headers });
    expect(response.status).toBe(415);
    expect((await server.queue.counts()).waiting).toBe(0);
  });
});

describe("requests", () => {
  it("have ids, which the log names", async () => {
    const mine = await asked("/api/status", { ...key, "x-request-id": "mine-1" });
    expect(mine.headers.get("x-request-id")).toBe("mine-1");
    const made = (await asked("/api/status", { ...key, "x-request-id": "not one!" })).headers.get("x-request-id");
    expect(made).toMatch(/^[0-9a-f-]{36}$/);
    const lines = server.log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ requestId }) => requestId === "mine-1")).toMatchObject({
      level: "info",
      method: "GET",
      route: "/api/status",
      status: 200,
    });
    expect(server.log.join("")).not.toMatch(/right|guessed/);
  });

  it.each([
    ["{", 400],
    [JSON.stringify({ prompt: "x".repeat(20_000) }), 413],
    [JSON.stringify({ prompt: 5 }), 400],
    [JSON.stringify({ prompt: "x", colour: "red" }), 400],
    [JSON.stringify({ prompt: "x", init: "https://other.example/a.png" }), 400],
    [JSON.stringify({ prompt: "x", init: "file:///etc/passwd" }), 400],
    [JSON.stringify({ prompt: "x", steps: 101 }), 400],
    [JSON.stringify({ prompt: "x", size: { width: 2048, height: 64 } }), 400],
    [JSON.stringify({ prompt: "x", model: "/etc/passwd" }), 404],
  ])("that cannot be used are refused in a sentence: %#", async (body, status) => {
    const headers = { ...key, "content-type": "application/json" };
    const response = await server.ask("/api/jobs", undefined, { method: "POST", body, headers });
    const text = await response.text();
    expect([response.status, text]).toEqual([
      status,
      expect.stringMatching(/^\{"error":\{"kind":"\w+","message":"[^"]/),
    ]);
    expect(text).not.toMatch(/ {4}at |\.ts|node_modules/);
  });

  it("find the page, and nothing beside it", async () => {
    expect(await (await asked("/", {})).text()).toBe("<title>page</title>");
    for (const path of [
      "/../fourstep-secret",
      "/..%2ffourstep-secret",
      "/%2e%2e/fourstep-secret",
      "/assets/../../fourstep-secret",
    ]) {
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 40\d/,
      );
    }
  });
});

it("describes itself: every route that a client may call", async () => {
  const document = (await (await asked("/openapi.json")).json()) as { paths: Record<string, unknown> };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      "/v1/images/generations",
      "/v1/images/edits",
      "/v1/models",
      "/sdapi/v1/txt2img",
      "/sdapi/v1/img2img",
      "/sdapi/v1/progress",
      "/api/jobs",
      "/api/jobs/{id}",
      "/api/jobs/{id}/events",
      "/api/draw",
    ]),
  );
  expect(JSON.stringify(document)).toContain('"maxLength":10000');
});

it("gives figures to Prometheus", async () => {
  await server.queue.add({
    request: {
      prompt: "x",
      negative: "",
      loras: [],
      seed: 1,
      model: "m",
      count: 1,
      clipSkip: 1,
      promptSyntax: "plain",
      previews: false,
    },
    priority: 0,
  });
  const text = await (await asked("/metrics")).text();
  expect(text).toContain('fourstep_jobs{state="waiting"} 1');
  expect(text).toMatch(
    /fourstep_http_request_duration_seconds_count\{route="\/api\/status",method="GET",status="200"\} \d/,
  );
});

it("ends in order: what is drawn is finished, what waits is refused or kept", async () => {
  await using busy = await runServer();
  const running = (await (await busy.ask("/api/jobs", { prompt: "a", steps: 50, count: 4 })).json()) as { id: string };
  await until(async () => (await busy.queue.find(running.id))?.state === "running");
  const waiting = busy.ask("/v1/images/generations", { prompt: "b" });
  await until(async () => (await busy.queue.counts()).waiting === 1);
  const kept = (await (await busy.ask("/api/jobs", { prompt: "c" })).json()) as { id: string };
  const states: string[] = [];
  busy.queue.follow(running.id, (event) => event.kind === "state" && states.push(event.state));
  const closing = busy.close();
  const refused = await waiting;
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "10"]);
  expect((await busy.queue.find(kept.id))?.state).toBe("waiting");
  const late = await busy.ask("/api/jobs", { prompt: "d" });
  expect(late.status).toBe(503);
  expect((await busy.ask("/healthz")).status).toBe(503);
  await closing;
  expect(states).toEqual(["done"]);
  await expect(busy.ask("/healthz")).rejects.toThrow();
});
