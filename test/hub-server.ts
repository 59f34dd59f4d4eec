import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository of the server. */
export interface HubRepository {
  readonly commit: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Those who send no token are refused: files alone (its terms must be accepted), or all of it. */
  readonly closed?: "gated" | "private";
}

/** What the server does wrong, once for each entry, in order. */
export interface HubFault {
  readonly path: string;
  readonly kind: "cut" | "wrong-bytes" | "no-range" | "busy";
  /** For `cut`: bytes that are sent before the connection is closed. */
  readonly after?: number;
}

/** A server that speaks as much of the hub's protocol as reading needs. */
export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Requests for contents, as `path range`, without the probes for a file's size. */
  readonly fetched: string[];
  /** All requests. */
  readonly asked: string[];
  readonly faults: HubFault[];
  close(): Promise<void>;
}

export const gitHash = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Weights lie in large file storage, behind a redirect. */
export const isLarge = (path: string): boolean => /\.(safetensors|bin|ckpt)$/.test(path);

const token = "hf_right";

/** Starts the server on a free port. */
export async function startHubServer(repositories: Readonly<Record<string, HubRepository>>): Promise<HubServer> {
  const fetched: string[] = [];
  const asked: string[] = [];
  const faults: HubFault[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(repositories, request, response, fetched, faults, endpoint());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const endpoint = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { endpoint: endpoint(), fetched, asked, faults, close, [Symbol.asyncDispose]: close };
}

function answer(
  repositories: Readonly<Record<string, HubRepository>>,
  request: IncomingMessage,
  response: ServerResponse,
  fetched: string[],
  faults: HubFault[],
  endpoint: string,
): unknown {
  const url = new URL(request.url ?? "", endpoint);
  const refuse = (status: number, error: string, code?: string): unknown => {
    response.writeHead(status, {
      "content-type": "application/json",
      ...(code === undefined ? {} : { "x-error-code": code }),
    });
    return response.end(JSON.stringify({ error }));
  };
  const json = (value: unknown, headers: Record<string, string> = {}): unknown => {
    return response
      .writeHead(200, { "content-type": "application/json; charset=utf-8", ...headers })
      .end(JSON.stringify(value));
  };
  const stored = /^\/storage\/([^/]+\/[^/]+)\/(.+)$/.exec(url.pathname);
  if (stored !== null) {
    if (request.headers.authorization !== undefined) return refuse(400, "a token must not be sent to the storage");
    const path = decodeURIComponent(stored[2]!);
    return send(path, repositories[stored[1]!]!.files.get(path)!, request, response, fetched, faults);
  }
  const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(url.pathname);
  const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
  const name = api?.[1] ?? file?.[1] ?? "";
  const repository = repositories[name];
  const known = request.headers.authorization === `Bearer ${token}`;
  if (repository === undefined || (repository.closed === "private" && !known)) {
    return known ? refuse(404, "Repository not found", "RepoNotFound") : refuse(401, "Invalid username or password.");
  }
  const revision = decodeURIComponent(api?.[3] ?? file?.[2] ?? "");
  if (![repository.commit, "main", "v1"].includes(revision)) {
    return refuse(404, `Invalid rev id: ${revision}`, "RevisionNotFound");
  }
  if (api?.[2] === "revision") {
    const lastModified = "2024-01-01T00:00:00.000Z";
    return json({
      _id: "1",
      id: name,
      private: false,
      gated: false,
      downloads: 0,
      likes: 0,
      lastModified,
      sha: repository.commit,
    });
  }
  if (api?.[2] === "tree") return listing(repository, url, json);
  const path = decodeURIComponent(file![3]!);
  const bytes = repository.files.get(path);
  if (bytes === undefined) return refuse(404, "Entry not found", "EntryNotFound");
  if (repository.closed === "gated" && !known) {
    return refuse(401, `Access to model ${name} is restricted. You must be authenticated to access it.`, "GatedRepo");
  }
  response.setHeader("x-repo-commit", repository.commit);
  if (!isLarge(path)) return send(path, bytes, request, response, fetched, faults);
  response.writeHead(302, {
    location: `${endpoint.replace("127.0.0.1", "localhost")}/storage/${name}/${path}`,
    "x-linked-etag": `"${sha256(bytes)}"`,
    "x-linked-size": String(bytes.length),
  });
  return response.end();
}

/** Pages of five entries, with a link to the next. */
function listing(
  { files }: HubRepository,
  url: URL,
  json: (value: unknown, headers?: Record<string, string>) => unknown,
): unknown {
  const from = Number(url.searchParams.get("cursor") ?? 0);
  const entries = [...files].map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.length,
    oid: gitHash(bytes),
    ...(isLarge(path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
  }));
  const folders = [
    ...new Set([...files.keys()].filter((path) => path.includes("/")).map((path) => path.split("/")[0]!)),
  ];
  const all = [
    ...folders.map((path) => ({ type: "directory", path, size: 0, oid: gitHash(new Uint8Array()) })),
    ...entries,
  ];
  const next = new URL(url);
  next.searchParams.set("cursor", String(from + 5));
  return json(all.slice(from, from + 5), from + 5 < all.length ? { link: `<${next.href}>; rel="next"` } : {});
}

function send(
  path: string,
  bytes: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
  fetched: string[],
  faults: HubFault[],
): unknown {
  const range = request.headers.range ?? "";
  const probe = range === "bytes=0-0";
  if (!probe) fetched.push(`${path} ${range}`.trim());
  const fault = probe || faults[0]?.path !== path ? undefined : faults.shift();
  if (fault?.kind === "busy") return response.writeHead(503).end();
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  const headers = { etag: `"${isLarge(path) ? sha256(bytes) : gitHash(bytes)}"`, "accept-ranges": "bytes" };
  const whole = first === undefined || fault?.kind === "no-range";
  const begin = whole ? 0 : Number(first);
  const end = whole || last === "" ? bytes.length : Math.min(bytes.length, Number(last) + 1);
  const part = fault?.kind === "wrong-bytes" ? bytes.slice(begin, end).fill(7) : bytes.subarray(begin, end);
  response.writeHead(whole ? 200 : 206, {
    ...headers,
    "content-length": part.length,
    ...(whole ? {} : { "content-range": `bytes ${begin}-${end - 1}/${bytes.length}` }),
  });
  if (fault?.kind !== "cut") return response.end(part);
  return response.write(part.subarray(0, fault.after ?? 0), () => response.destroy());
}
