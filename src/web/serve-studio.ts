import { toCrossing } from "../runtime/crossing-error.ts";
import type { FromWorker, ToWorker, WorkerPort } from "./messages.ts";
import { openStudio, type Studio } from "./studio.ts";

/** Draws, one picture after the other, what the other end of a port asks for: the worker's half of `remoteStudio`. */
export function serveStudio(port: WorkerPort): void {
  let studio: Promise<Studio> | undefined;
  let last: Promise<void> = Promise.resolve();
  const waiting = new Map<number, AbortController>();
  const tell = (message: FromWorker): void => port.postMessage(message);

  const open = ({ url, options }: ToWorker & { readonly kind: "open" }): void => {
    studio = openStudio(url, { ...options, onProgress: (progress) => tell({ kind: "progress", progress }) });
    studio.then(
      ({ info }) => tell({ kind: "opened", info }),
      (error: unknown) => tell({ kind: "failed", error: toCrossing(error) }),
    );
  };
  const draw = async ({ id, drawing }: ToWorker & { readonly kind: "draw" }, signal: AbortSignal): Promise<void> => {
    try {
      signal.throwIfAborted();
      for await (const event of (await studio!).draw(drawing, signal)) tell({ kind: "event", id, event });
      tell({ kind: "end", id });
    } catch (error) {
      tell({ kind: "end", id, error: toCrossing(error) });
    }
    waiting.delete(id);
  };
  port.addEventListener("message", ({ data }) => {
    const message = data as ToWorker;
    if (message.kind === "open") open(message);
    if (message.kind === "leave") waiting.get(message.id)?.abort();
    if (message.kind !== "draw") return;
    const stop = new AbortController();
    waiting.set(message.id, stop);
    last = last.then(() => draw(message, stop.signal));
  });
}
