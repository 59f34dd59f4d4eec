import type { Problem, ProblemKind } from "../problem.ts";
import type { OpenAIError } from "../schemas/openai.ts";

const types: Readonly<Record<ProblemKind, readonly [type: string, code: string | null]>> = {
  invalid: ["invalid_request_error", "invalid_value"],
  unauthorized: ["authentication_error", "invalid_api_key"],
  forbidden: ["permission_error", null],
  not_found: ["invalid_request_error", "not_found"],
  too_large: ["invalid_request_error", "request_too_large"],
  unsupported: ["invalid_request_error", "unsupported_media_type"],
  full: ["rate_limit_error", "queue_full"],
  failed: ["server_error", null],
  unavailable: ["server_error", "unavailable"],
  timeout: ["server_error", "timeout"],
};

/** A problem as OpenAI's clients read it. */
export function openAIError({ kind, message, field }: Problem): OpenAIError {
  const [type, code] = types[kind];
  const missing = kind === "not_found" && field === "model" ? "model_not_found" : code;
  return { error: { message, type, param: field ?? null, code: missing } };
}
