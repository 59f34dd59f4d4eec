import { OpenAPIHono } from "@hono/zod-openapi";
import type { ZodError } from "zod";
import { Problem } from "../problem.ts";

/** What a request carries from one handler to the next. */
export interface RequestVariables {
  readonly Variables: { requestId: string };
}

export type Router = OpenAPIHono<RequestVariables>;

/** Routes whose requests are held to their schemas; what does not fit is a `Problem`. */
export function router(): Router {
  return new OpenAPIHono<RequestVariables>({
    defaultHook: (result) => {
      if (!result.success) throw problemOfSchema(result.error as ZodError);
    },
  });
}

/** What does not fit a schema, in one sentence that names the first field at fault. */
export function problemOfSchema({ issues }: Pick<ZodError, "issues">): Problem {
  const [issue] = issues;
  const field = issue?.path.join(".") ?? "";
  const sentence = issue?.message ?? "it does not fit";
  return new Problem("invalid", field === "" ? `${sentence}.` : `"${field}": ${sentence}.`, { field });
}
