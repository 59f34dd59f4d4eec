import { serveStatic } from "@hono/node-server/serve-static";
import { type RequestVariables, type Router, router } from "../http/router.ts";

/**
 * What the page may do: load its own scripts, styles and weights, show pictures that it made itself, compile WebAssembly, and ask
 * its own server. Nothing of others, no code in the markup, no frame around it.
 */
export const pagePolicy: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self' blob:",
  "font-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Vite puts a hash of the content into these names, so that they never change. */
const hashed = /\/assets\/[^/]+-[\w-]{8,}\.\w+$/;

/**
 * The page, from the folder that it was built into; only files in it are found.
 * @param folder absolute path
 */
export function pageRoutes(folder: string): Router {
  const routes = router();
  const files = serveStatic<RequestVariables>({ root: folder });
  routes.get("*", async (c, next) => {
    const response = await files(c, next);
    // Without a file it gives what came next, of which it says nothing in its types.
    if (!(response instanceof Response)) return;
    response.headers.set("content-security-policy", pagePolicy);
    response.headers.set("cache-control", hashed.test(c.req.path) ? "public, max-age=31536000, immutable" : "no-cache");
    return response;
  });
  return routes;
}
