import { fromCrossing } from "../runtime/crossing-error.ts";
import type { FromWorker, ToWorker, WorkerPort } from "./messages.ts";
import type { Studio, StudioInfo, StudioOptions } from "./studio.ts";

/**
 * A studio in a worker, so that the page stays smooth: `openStudio` there, its events here.
 * @param worker whose file imports `fourstep/web/worker`
 * @param url of the model's folder; relative ones are relative to the page
 * @throws UsageError, CheckpointError or FormatError when there is no whole model, RuntimeFailure when the worker fails
 * @example
 * ```ts
 * const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
 * const studio = await remoteStudio(worker, "models/fourstep-64");
 * for await (const event of studio.draw({ prompt: "a fox" })) if (event.kind === "picture") show(event.pixels);
 * ```
 */
export async function remoteStudio(
  worker: WorkerPort,
  url: URL | string,
  { onProgress, signal, ...options }: StudioOptions = {},
): Promise<Studio> {
  const listeners = new Map<number, (message: DrawingMessage) => void>();
  const opened = new Promise<StudioInfo>((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => {
      const message = data as FromWorker;
      if (message.kind === "progress") onProgress?.(message.progress);
      else if (message.kind === "opened") resolve(message.info);
      else if (message.kind === "failed") reject(fromCrossing(message.error));
      else listeners.get(message.id)?.(message);
    });
    signal?.addEventListener("abort", () => reject(signal.reason as Error));
  });
  const send = (message: ToWorker): void => worker.postMessage(message);
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  send({ kind: "open", url: new URL(url, location?.href).href, options });
  const info = await opened;

  let last = 0;
  return {
    info,
    async *draw(drawing, signal) {
      signal?.throwIfAborted();
      const id = ++last;
      const mail = mailbox();
      listeners.set(id, mail.put);
      const leave = (): void => {
        send({ kind: "leave", id });
        mail.wake();
      };
      signal?.addEventListener("abort", leave);
      let ended = false;
      try {
        send({ kind: "draw", id, drawing });
        for (;;) {
          const message = await mail.next();
          signal?.throwIfAborted();
          if (message === undefined) continue;
          if (message.kind === "end") {
            ended = true;
            if (message.error !== undefined) throw fromCrossing(message.error);
            return;
          }
          yield message.event;
          signal?.throwIfAborted();
        }
      } finally {
        listeners.delete(id);
        signal?.removeEventListener("abort", leave);
        if (!ended) send({ kind: "leave", id });
      }
    },
    async close() {
      (worker as { terminate?: () => void }).terminate?.();
    },
  };
}

type DrawingMessage = Extract<FromWorker, { readonly id: number }>;

/** Messages in their order, for one reader that waits for the next. */
function mailbox(): {
  put(message: DrawingMessage): void;
  /** Lets the reader look up, without a message. */
  wake(): void;
  next(): Promise<DrawingMessage | undefined>;
} {
  const messages: DrawingMessage[] = [];
  let woken = false;
  let ring: (() => void) | undefined;
  return {
    put(message) {
      messages.push(message);
      ring?.();
    },
    wake() {
      woken = true;
      ring?.();
    },
    async next() {
      if (messages.length === 0 && !woken) await new Promise<void>((resolve) => (ring = resolve));
      woken = false;
      return messages.shift();
    },
  };
}
