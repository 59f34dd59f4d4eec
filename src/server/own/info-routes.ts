import { createRoute, z } from "@hono/zod-openapi";
import { samplerNames, samplerTitles } from "../../samplers/names.ts";
import { type Router, router } from "../http/router.ts";
import { Problem } from "../problem.ts";
import type { ServerParts } from "../server-parts.ts";

const tags = ["What there is"];
const named = z.object({ name: z.string() });
const answers = <T extends z.ZodType>(schema: T) => ({
  200: { description: "what there is", content: { "application/json": { schema } } },
});

const models = createRoute({
  method: "get",
  path: "/models",
  tags,
  responses: answers(z.array(named.extend({ usual: z.boolean() }))),
});
const loras = createRoute({
  method: "get",
  path: "/loras",
  tags,
  request: { query: z.object({ model: z.string().max(255).optional() }) },
  responses: answers(z.array(named)),
});
const samplers = createRoute({
  method: "get",
  path: "/samplers",
  tags,
  responses: answers(z.array(named.extend({ title: z.string() }))),
});
const status = createRoute({
  method: "get",
  path: "/status",
  tags,
  responses: answers(
    z.object({
      version: z.string(),
      draining: z.boolean(),
      jobs: z.record(z.string(), z.int()),
      limits: z.record(z.string(), z.number()),
    }),
  ),
});

/** What requests may name, and how busy the server is. */
export function infoRoutes({ catalog, queue, limits, version, draining }: ServerParts): Router {
  return router()
    .openapi(models, async (c) => {
      const all = await catalog.models();
      return c.json(
        all.map(({ name }) => ({ name, usual: name === catalog.usual.name })),
        200,
      );
    })
    .openapi(loras, async (c) => {
      const { model: name } = c.req.valid("query");
      const model = name === undefined ? catalog.usual : await catalog.find(name);
      if (model === undefined) throw new Problem("not_found", `There is no model "${name}" here.`, { field: "model" });
      return c.json(
        (await catalog.loras(model)).map((lora) => ({ name: lora.name })),
        200,
      );
    })
    .openapi(samplers, (c) =>
      c.json(
        samplerNames.map((name) => ({ name, title: samplerTitles[name] })),
        200,
      ),
    )
    .openapi(status, async (c) =>
      c.json({ version, draining: draining.aborted, jobs: { ...(await queue.counts()) }, limits: { ...limits } }, 200),
    ) as Router;
}
