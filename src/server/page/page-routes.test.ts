import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pagePolicy, pageRoutes } from "./page-routes.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-page-"));
  await mkdir(join(folder, "page", "assets"), { recursive: true });
  await writeFile(join(folder, "secret.js"), "secret");
  await writeFile(join(folder, "page", "index.html"), "<title>page</title>");
  await writeFile(join(folder, "page", "assets", "index-E9ouX72g.css"), "");
  await writeFile(join(folder, "page", "assets", "index-E9ouX72g.js"), "");
  await writeFile(join(folder, "page", "assets", "engine-DstPcx1L.wasm"), "");
});
afterAll(() => rm(folder, { recursive: true }));

const ask = async (path: string): Promise<Response> => pageRoutes(join(folder, "page")).request(path);

it.each([
  ["/", "text/html; charset=utf-8", "no-cache"],
  ["/index.html", "text/html; charset=utf-8", "no-cache"],
  ["/assets/index-E9ouX72g.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/assets/index-E9ouX72g.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/assets/engine-DstPcx1L.wasm", "application/wasm", "public, max-age=31536000, immutable"],
])("serves %s with its type, policy and age", async (path, type, age) => {
  const { status, headers } = await ask(path);
  expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([200, type, age]);
  expect(headers.get("content-security-policy")).toBe(pagePolicy);
});

it("allows no code in the markup and nothing of others", () => {
  expect(pagePolicy).toContain("default-src 'none'");
  expect(pagePolicy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
});

it.each(["/secret.js", "/../secret.js", "/..%2fsecret.js", "/%2e%2e/secret.js", "/assets/..%2f..%2fsecret.js"])(
  "finds nothing beside the folder: %s",
  async (path) => {
    expect((await ask(path)).status).toBe(404);
  },
);
