import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { ServerParts } from "../server-parts.ts";
import type { RequestVariables } from "./router.ts";

const plainId = /^[\w.-]{1,64}$/;

/** Gives each request an id, and tells the log and the metrics of its end. */
export function observe({ log, metrics }: Pick<ServerParts, "log" | "metrics">): MiddlewareHandler<RequestVariables> {
  return async (c, next) => {
    const begin = performance.now();
    const given = c.req.header("x-request-id");
    const id = given !== undefined && plainId.test(given) ? given : randomUUID();
    c.set("requestId", id);
    c.header("x-request-id", id);
    await next();
    const seconds = (performance.now() - begin) / 1000;
    const { status } = c.res;
    // The route and not the path: addresses of pictures are secrets, and made-up paths would be endless.
    const route = matchedRoutes(c).findLast(({ path }) => !path.includes("*"))?.path ?? "*";
    metrics.request(route, c.req.method, status, seconds);
    if (route === "/healthz" || route === "/metrics") return;
    log.info("request", { requestId: id, method: c.req.method, route, status, ms: Math.round(1000 * seconds) });
  };
}
