import { Problem } from "../problem.ts";
import type { ServerParts } from "../server-parts.ts";
import { type Router, router } from "./router.ts";

/** What is asked for without a dialect: whether the server lives, its figures, and pictures. */
export function plainRoutes({ queue, metrics, draining, version }: ServerParts): Router {
  const routes = router();
  routes.get("/healthz", (c) =>
    draining.aborted ? c.json({ status: "draining", version }, 503) : c.json({ status: "ok", version }, 200),
  );
  routes.get("/metrics", async (c) => c.body(await metrics.text(), 200, { "content-type": metrics.contentType }));
  routes.get("/pictures/:key/:file{[0-9]+\\.png}", async (c) => {
    const { key, file } = c.req.param();
    const png = await queue.picture(key, Number.parseInt(file, 10));
    if (png === undefined) throw new Problem("not_found", "There is no such picture; they are kept for a while only.");
    return c.body(new Uint8Array(png), 200, {
      "content-type": "image/png",
      "cache-control": "private, max-age=86400, immutable",
      // Pages of others may show what they have the address of.
      "cross-origin-resource-policy": "cross-origin",
    });
  });
  return routes;
}
