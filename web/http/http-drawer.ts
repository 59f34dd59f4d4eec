import { type DrawEvent, type Drawer, DrawFault, type DrawRequest, type Offers } from "../drawer.ts";
import { type Ask, gone } from "./ask.ts";
import { fromDataUrl, toDataUrl } from "./base64.ts";
import { serverEvents } from "./server-events.ts";

/** What the server says of a job, as far as the page looks at it. */
interface ShownJob {
  readonly state: "waiting" | "running" | "done" | "failed" | "cancelled";
  readonly warnings: readonly string[];
  readonly error?: { readonly kind: string; readonly message: string };
}

interface ShownStep {
  readonly step: number;
  readonly steps: number;
  readonly preview?: string;
}

interface ShownPicture {
  readonly seed: number;
  readonly settings: string;
  readonly data: string;
}

/** Draws on `fourstep serve`: `/api/draw`, whose job ends when the page leaves it. */
export function httpDrawer(ask: Ask): Drawer {
  const json = async <T>(path: string, signal: AbortSignal): Promise<T> =>
    (await (await ask(path, undefined, signal)).json()) as T;
  return {
    async ready(signal) {
      await ask("healthz", undefined, signal);
    },
    async offers(model, signal) {
      const query = model === undefined ? "" : `?model=${encodeURIComponent(model)}`;
      const [models, loras, samplers, status] = await Promise.all([
        json<Offers["models"]>("api/models", signal),
        json<Offers["loras"]>(`api/loras${query}`, signal),
        json<Offers["samplers"]>("api/samplers", signal),
        json<{ limits: { side: number; steps: number } }>("api/status", signal),
      ]);
      return { models, loras, samplers, limits: status.limits };
    },
    async *draw(request, signal) {
      const response = await ask("api/draw", await sentOf(request), signal);
      try {
        for await (const { event, data } of serverEvents(response.body!)) {
          signal.throwIfAborted();
          yield* eventsOf(event, data);
          if (event === "end") return;
        }
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof DrawFault ? error : gone(error);
      }
      throw gone("the stream ended before the job");
    },
  };
}

async function sentOf({ init, ...request }: DrawRequest): Promise<object> {
  return init === undefined ? request : { ...request, init: await toDataUrl(init) };
}

function* eventsOf(event: string, data: unknown): Generator<DrawEvent> {
  if (event === "job" && (data as ShownJob).state === "waiting") yield { kind: "waiting" };
  if (event === "step") {
    const { step, steps, preview } = data as ShownStep;
    yield { kind: "step", step, steps, ...(preview === undefined ? {} : { preview: fromDataUrl(preview) }) };
  }
  if (event === "picture") {
    const { data: png, seed, settings } = data as ShownPicture;
    yield { kind: "picture", png: fromDataUrl(png), seed, settings };
  }
  if (event === "end") {
    const { state, warnings, error } = data as ShownJob;
    yield { kind: "warnings", warnings };
    if (state !== "done") throw faultOf(state, error);
  }
}

function faultOf(state: string, error: ShownJob["error"]): DrawFault {
  if (error === undefined) return new DrawFault("failed", `The drawing was ${state}.`);
  return new DrawFault(error.kind === "invalid" ? "invalid" : "failed", error.message);
}
