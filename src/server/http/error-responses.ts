import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { ZodError } from "zod";
import { a1111Error } from "../a1111/a1111-error.ts";
import { openAIError } from "../openai/openai-error.ts";
import { Problem, problemStatus } from "../problem.ts";
import type { ServerLog } from "../server-log.ts";
import { problemOfSchema, type RequestVariables } from "./router.ts";

/** Answers what went wrong, in the form of the dialect that was spoken; nothing of the program itself is told. */
export function errorResponse(error: Error, c: Context<RequestVariables>, log: ServerLog): Response {
  const problem = problemOf(error, c, log);
  if (problem.retryAfterSeconds !== undefined) c.header("retry-after", String(problem.retryAfterSeconds));
  if (problem.kind === "unauthorized") c.header("www-authenticate", 'Bearer realm="fourstep"');
  const status = problemStatus[problem.kind];
  if (c.req.path.startsWith("/v1/")) return c.json(openAIError(problem), status);
  if (c.req.path.startsWith("/sdapi/")) {
    // A1111's clients know what does not fit a schema by FastAPI's status for it.
    return c.json(a1111Error(problem), problem.kind === "invalid" ? 422 : status);
  }
  const { kind, message, field } = problem;
  return c.json({ error: { kind, message, ...(field === undefined ? {} : { field }) } }, status);
}

function problemOf(error: Error, c: Context<RequestVariables>, log: ServerLog): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ZodError) return problemOfSchema(error);
  if (error instanceof HTTPException && error.status < 500) {
    if (error.status === 415) return new Problem("unsupported", "This kind of content is not read here; send JSON.");
    return new Problem("invalid", error.message === "" ? "The request cannot be read." : error.message);
  }
  // The client is gone: nobody reads the answer.
  if (c.req.raw.signal.aborted) return new Problem("unavailable", "The client went away.");
  log.error("A request failed unexpectedly.", { requestId: c.get("requestId"), error });
  return new Problem("failed", `Something went wrong here; the log says more under ${c.get("requestId")}.`);
}
