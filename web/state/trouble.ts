import { effect, type Signal, signal } from "@preact/signals";
import { type Drawer, DrawFault } from "../drawer.ts";
import { apiKey } from "../http/api-key.ts";
import { sleep } from "./sleep.ts";

/** What keeps pictures from coming, as long as it does. */
export interface Trouble {
  readonly kind: "gone" | "busy" | "key";
  readonly message: string;
}

export const trouble: Signal<Trouble | undefined> = signal(undefined);

const lookAgainMs = { well: 5000, gone: 700 };

/** To be called when the drawer answered as it should. */
export function allIsWell(): void {
  trouble.value = undefined;
}

/** Does something with the drawer, again and again until it works. Faults that another try does not mend are thrown. */
export async function insist<T>(attempt: () => Promise<T>, stop: AbortSignal): Promise<T> {
  for (;;) {
    try {
      const result = await attempt();
      allIsWell();
      return result;
    } catch (error) {
      stop.throwIfAborted();
      if (!(error instanceof DrawFault)) throw error;
      const { kind, message } = error;
      if (kind !== "gone" && kind !== "busy" && kind !== "key") {
        allIsWell();
        throw error;
      }
      trouble.value = { kind, message };
      if (kind === "busy") await sleep(1000 * (error.retryAfterSeconds ?? 5), stop);
      else if (kind === "gone") await once(() => trouble.value?.kind !== "gone", stop);
      else await keyGiven(stop);
    }
  }
}

/** Looks now and then whether the drawer answers, more often while it does not; `back` is called when it does again. */
export async function watch(drawer: Drawer, back: () => void, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await sleep(trouble.peek()?.kind === "gone" ? lookAgainMs.gone : lookAgainMs.well, stop);
    const wasGone = trouble.peek()?.kind === "gone";
    try {
      await drawer.ready(stop);
      if (!wasGone) continue;
      allIsWell();
      back();
    } catch (error) {
      if (error instanceof DrawFault && error.kind === "gone" && !wasGone) {
        trouble.value = { kind: "gone", message: error.message };
      }
    }
  }
}

async function keyGiven(stop: AbortSignal): Promise<void> {
  const refused = apiKey.peek();
  await once(() => apiKey.value !== refused, stop);
}

/** Waits until a condition on signals holds. */
function once(holds: () => boolean, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ending = new AbortController();
    const leave = effect(() => {
      if (holds()) ending.abort();
    });
    const end = (): void => {
      leave();
      if (stop.aborted) reject(stop.reason);
      else resolve();
    };
    const any = AbortSignal.any([ending.signal, stop]);
    if (any.aborted) end();
    else any.addEventListener("abort", end, { once: true });
  });
}
