import type { CrossingError } from "../runtime/crossing-error.ts";
import type { DownloadProgress } from "./fetch-folder.ts";
import type { StudioInfo, StudioOptions, WebDrawing, WebDrawingEvent } from "./studio.ts";

/** What a page sends to the worker that draws. */
export type ToWorker =
  | { readonly kind: "open"; readonly url: string; readonly options: Omit<StudioOptions, "onProgress" | "signal"> }
  | { readonly kind: "draw"; readonly id: number; readonly drawing: WebDrawing }
  /** Nobody waits for that drawing any more. */
  | { readonly kind: "leave"; readonly id: number };

/** What the worker sends to the page. */
export type FromWorker =
  | { readonly kind: "progress"; readonly progress: DownloadProgress }
  | { readonly kind: "opened"; readonly info: StudioInfo }
  | { readonly kind: "failed"; readonly error: CrossingError }
  | { readonly kind: "event"; readonly id: number; readonly event: WebDrawingEvent }
  /** The last of a drawing. */
  | { readonly kind: "end"; readonly id: number; readonly error?: CrossingError };

/** One end of what joins a page and a worker: a `Worker`, a worker's own scope, a `MessagePort`. */
export interface WorkerPort {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
}
