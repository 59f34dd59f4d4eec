import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { a1111DrawRoutes } from "../a1111/draw-routes.ts";
import { a1111InfoRoutes } from "../a1111/info-routes.ts";
import { a1111Session } from "../a1111/session.ts";
import { openAIRoutes } from "../openai/routes.ts";
import { infoRoutes } from "../own/info-routes.ts";
import { jobRoutes } from "../own/job-routes.ts";
import { pageRoutes } from "../page/page-routes.ts";
import { Problem } from "../problem.ts";
import type { ServerParts } from "../server-parts.ts";
import { errorResponse } from "./error-responses.ts";
import { type GuardOptions, guard } from "./guards.ts";
import { observe } from "./observe.ts";
import { plainRoutes } from "./plain-routes.ts";
import { type Router, router } from "./router.ts";

export interface AppOptions extends GuardOptions {
  /** Folder of the page, served at `/`; none where it was not built. */
  readonly page: string | undefined;
}

/** All of the server's routes. */
export function createApp(parts: ServerParts, options: AppOptions): Router {
  const { limits, log, version } = parts;
  const app = router();
  const session = a1111Session();
  app.onError((error, c) => errorResponse(error, c, log));
  app.notFound((c) => errorResponse(new Problem("not_found", "There is nothing under this address."), c, log));
  app.use(observe(parts));
  app.use(
    // What runs in threads and on graphics cards needs a page that shares its memory with no other.
    secureHeaders({
      crossOriginEmbedderPolicy: "require-corp",
      crossOriginOpenerPolicy: "same-origin",
      xFrameOptions: "DENY",
      // The server itself speaks plain HTTP; who puts TLS before it says so there.
      strictTransportSecurity: false,
    }),
  );
  app.use(guard(options));
  app.use(
    bodyLimit({
      maxSize: limits.bodyBytes,
      onError: () => {
        throw new Problem("too_large", `A request may hold ${limits.bodyBytes} bytes.`);
      },
    }),
  );
  app.route("/v1", openAIRoutes(parts));
  app.route("/sdapi/v1", a1111DrawRoutes(parts, session));
  app.route("/sdapi/v1", a1111InfoRoutes(parts, session));
  app.route("/api", jobRoutes(parts));
  app.route("/api", infoRoutes(parts));
  app.route("/", plainRoutes(parts));
  app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "Fourstep", version } });
  if (options.page !== undefined) app.route("/", pageRoutes(options.page));
  return app;
}
