import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { Problem } from "../problem.ts";
import type { RequestVariables } from "./router.ts";

/** Who may ask. */
export interface GuardOptions {
  /** Asked for with each request, unless undefined. */
  readonly apiKey: string | undefined;
  /** Names by which browsers may ask for this server; undefined for all. */
  readonly hosts: readonly string[] | undefined;
}

/** What the key guards. All else tells nothing of anybody: the page, whether the server lives, pictures by secret addresses. */
const guarded = /^\/(v1|sdapi|api|metrics)(\/|$)/;

/**
 * Refuses pages of other sites, which a browser would let write here, hosts that are not this one (a name that was pointed
 * here to get around that), and requests without the key.
 */
export function guard({ apiKey, hosts }: GuardOptions): MiddlewareHandler<RequestVariables> {
  const key = apiKey === undefined ? undefined : digest(apiKey);
  return async (c, next) => {
    const { host } = new URL(c.req.url);
    if (hosts !== undefined && !hosts.includes(hostname(host))) {
      throw new Problem("forbidden", `This server does not go by the name ${hostname(host)}.`);
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && hostOf(origin) !== host) {
      throw new Problem("forbidden", "Pages of other sites may not use this server.");
    }
    if (
      key !== undefined &&
      guarded.test(c.req.path) &&
      !keysOf(c).some((given) => timingSafeEqual(digest(given), key))
    ) {
      throw new Problem("unauthorized", "The API key is missing or wrong; send it as Authorization: Bearer KEY.");
    }
    await next();
  };
}

/** Keys as clients send them: OpenAI's as a bearer, A1111's as the password of `user:password`, others in a header of its own. */
function keysOf(c: Context): string[] {
  const header = c.req.header("authorization") ?? "";
  const [, scheme = "", value = ""] = /^(\w+)\s+(.*)$/.exec(header) ?? [];
  const own = c.req.header("x-api-key");
  const keys = own === undefined ? [] : [own];
  if (/^bearer$/i.test(scheme)) keys.push(value);
  if (/^basic$/i.test(scheme)) {
    const pair = Buffer.from(value, "base64").toString("utf8");
    keys.push(pair.slice(pair.indexOf(":") + 1));
  }
  return keys;
}

/** Of one length, so that keys are compared in a time that tells nothing. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

const hostname = (host: string): string => host.replace(/:\d+$/, "");

const hostOf = (origin: string): string | undefined => {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
};
