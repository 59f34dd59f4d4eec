import { createHash } from "node:crypto";
import { createRoute, z } from "@hono/zod-openapi";
import { submitJob } from "../draw-now.ts";
import { type Router, router } from "../http/router.ts";
import { Problem } from "../problem.ts";
import { jobRequestSchema } from "../schemas/draw-request.ts";
import { jobSchema, problemSchema, stateSchema } from "../schemas/job.ts";
import type { ServerParts } from "../server-parts.ts";
import { streamJob } from "./event-stream.ts";
import { shownJob } from "./shown-job.ts";

const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });
const refusals = { default: { description: "what is wrong", content: json(problemSchema) } };
const params = z.object({ id: z.string().max(64) });
const tags = ["Jobs"];
const oneJob = { description: "the job", content: json(jobSchema) };
const events = {
  description: "server-sent events: job, step, picture, end",
  content: { "text/event-stream": { schema: z.string() } },
};

const add = createRoute({
  method: "post",
  path: "/jobs",
  tags,
  request: {
    headers: z.object({
      "idempotency-key": z.string().min(8).max(255).optional().openapi({
        description:
          "a second request of the same key gives the first one's job, so that one may ask again after a fault",
      }),
    }),
    body: { required: true, content: json(jobRequestSchema) },
  },
  responses: { 202: oneJob, ...refusals },
});
const list = createRoute({
  method: "get",
  path: "/jobs",
  tags,
  request: {
    query: z.object({
      state: stateSchema.optional(),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
    }),
  },
  responses: { 200: { description: "jobs, the newest first", content: json(z.array(jobSchema)) }, ...refusals },
});
const find = createRoute({
  method: "get",
  path: "/jobs/{id}",
  tags,
  request: { params },
  responses: { 200: oneJob, ...refusals },
});
const cancel = createRoute({
  method: "delete",
  path: "/jobs/{id}",
  tags,
  request: { params },
  responses: { 200: oneJob, ...refusals },
});
const follow = createRoute({
  method: "get",
  path: "/jobs/{id}/events",
  tags,
  request: { params },
  responses: { 200: events, ...refusals },
});
const draw = createRoute({
  method: "post",
  path: "/draw",
  tags,
  description: "Draws at once and tells of it as it goes, pictures within the events; leaving takes the job back.",
  request: { body: { required: true, content: json(jobRequestSchema) } },
  responses: { 200: events, ...refusals },
});

/** Jobs, which go on without the client that handed them in; and drawing with a client that watches. */
export function jobRoutes(parts: ServerParts): Router {
  const { queue } = parts;
  return router()
    .openapi(add, async (c) => {
      const { priority, ...request } = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const id = key === undefined ? {} : { id: createHash("sha256").update(`job ${key}`).digest("hex").slice(0, 32) };
      const job = await submitJob(parts, request, { priority, ...id });
      c.header("location", `/api/jobs/${job.id}`);
      return c.json(shownJob(c, job), 202);
    })
    .openapi(list, async (c) => {
      const { state, limit } = c.req.valid("query");
      const jobs = await queue.list({ limit, ...(state === undefined ? {} : { state }) });
      return c.json(
        jobs.map((job) => shownJob(c, job)),
        200,
      );
    })
    .openapi(find, async (c) => {
      const job = await queue.find(c.req.valid("param").id);
      if (job === undefined) throw unknown();
      return c.json(shownJob(c, job), 200);
    })
    .openapi(cancel, async (c) => {
      const job = await queue.cancel(c.req.valid("param").id);
      if (job === undefined) throw unknown();
      return c.json(shownJob(c, job), 200);
    })
    .openapi(follow, async (c) => {
      const { id } = c.req.valid("param");
      if ((await queue.find(id)) === undefined) throw unknown();
      return streamJob(c, parts, id, { inline: false, owned: false });
    })
    .openapi(draw, async (c) => {
      const { priority, ...request } = c.req.valid("json");
      const { id } = await submitJob(parts, request, { priority });
      return streamJob(c, parts, id, { inline: true, owned: true });
    }) as Router;
}

const unknown = (): Problem =>
  new Problem("not_found", "There is no such job; finished ones are kept for a while only.");
