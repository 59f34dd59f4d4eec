import { HubApiError } from "@huggingface/hub";
import { type FourstepError, RuntimeFailure, UsageError } from "../../errors.ts";
import type { HubReference } from "./reference.ts";
import type { HubSettings } from "./settings.ts";

/** Whether nothing was heard from the hub at all, or it is out of order: the cache may still help. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof HubApiError ? error.statusCode >= 500 || error.statusCode === 429 : isNetworkError(error);
}

/** One sentence for what a hub or the way to it refused. */
export function hubError(error: unknown, { repo, revision }: HubReference, settings: HubSettings): FourstepError {
  const { endpoint, token } = settings;
  const cause = { cause: error };
  if (error instanceof HubApiError) {
    // Not the message: it holds the address, which has such words for parameters.
    const said = JSON.stringify(error.data ?? {});
    const login = token === undefined ? "set HF_TOKEN to a token of yours" : "use a token that may read it";
    if (/gated|restricted|awaiting/i.test(said) && [401, 403].includes(error.statusCode)) {
      return new UsageError(
        `${repo}: this model is gated; accept its terms at ${endpoint}/${repo} and ${login}.`,
        cause,
      );
    }
    if (error.statusCode === 404 && /revision|invalid rev/i.test(said)) {
      return new UsageError(`${repo}: there is no revision "${revision}" of this model at ${endpoint}.`, cause);
    }
    if ([401, 403, 404].includes(error.statusCode)) {
      return new UsageError(
        `${repo}: there is no such file or folder here, and no such model at ${endpoint}, unless it is private; check the name, or ${login}.`,
        cause,
      );
    }
    return new RuntimeFailure(`${repo}: ${endpoint} answered with status ${error.statusCode}; try again later.`, cause);
  }
  if (isNetworkError(error)) {
    return new RuntimeFailure(
      `${repo}: ${endpoint} cannot be reached (${reasonOf(error)}), and the cache ${settings.cache} does not hold the model.`,
      cause,
    );
  }
  // The library's own words on a token or an answer that it does not understand.
  return new UsageError(`${repo}: ${error instanceof Error ? error.message : String(error)}.`, cause);
}

/** What fetch throws, and what a stream that was cut ends with. */
export function isNetworkError(error: unknown): boolean {
  return (
    typeof error === "string" || (error instanceof TypeError && error.message !== "" && !/token/.test(error.message))
  );
}

export function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (inner instanceof Error) return "code" in inner && inner.code !== undefined ? String(inner.code) : inner.message;
  return String(inner);
}
