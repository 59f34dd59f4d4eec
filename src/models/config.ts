import type { z } from "zod";
import { CheckpointError } from "../errors.ts";

/**
 * Checks a parsed JSON configuration against what a model understands; keys that it does not know are left alone, as
 * diffusers writes many that say nothing.
 * @throws CheckpointError with one sentence that names the file, the key and the expectation
 */
export function parseConfig<T>(file: string, schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.length > 0 ? `"${issue.path.join(".")}"` : "the whole";
  throw new CheckpointError(`${file}: ${key} is not understood: ${issue.message}.`);
}
