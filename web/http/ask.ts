import { DrawFault } from "../drawer.ts";

/** Asks the server; gives its answer when that is a good one. */
export type Ask = (path: string, body: unknown, signal: AbortSignal) => Promise<Response>;

/**
 * Asks with the key that is given at that moment. A body is sent as JSON.
 * @throws DrawFault for every answer that is no good one, and for none; the signal's reason when that is aborted
 */
export function asker(base: URL, key: () => string | undefined): Ask {
  return async (path, body, signal) => {
    const headers: Record<string, string> = {};
    const given = key();
    if (given !== undefined) headers["authorization"] = `Bearer ${given}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const request: RequestInit = { headers, signal, cache: "no-store" };
    const sent = body === undefined ? request : { ...request, method: "POST", body: JSON.stringify(body) };
    const response = await fetch(new URL(path, base), sent).catch((error: unknown) => {
      signal.throwIfAborted();
      throw gone(error);
    });
    if (response.ok) return response;
    throw await faultOf(response);
  };
}

/** The fault of a server that does not answer, or stops in the middle. */
export function gone(cause?: unknown): DrawFault {
  const fault = new DrawFault("gone", "The server does not answer.");
  fault.cause = cause;
  return fault;
}

async function faultOf(response: Response): Promise<DrawFault> {
  const { status } = response;
  const message = await messageOf(response);
  if (status === 401) return new DrawFault("key", message);
  if (status === 429) return new DrawFault("busy", message, retryAfter(response) ?? 5);
  if (status === 502 || status === 503 || status === 504) return gone(message);
  return new DrawFault(status < 500 ? "invalid" : "failed", message);
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: { message?: string } };
    if (typeof error?.message === "string") return error.message;
  } catch {
    // An answer that no server of ours wrote.
  }
  return `The server answered with status ${response.status}.`;
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? "");
  return seconds > 0 ? seconds : undefined;
}
