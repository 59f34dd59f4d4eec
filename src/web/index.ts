/**
 * What Fourstep adds in browsers: models over HTTP, WebGPU or WebAssembly, a studio that draws in a worker. Everything of
 * `fourstep` works there too.
 */
export type { Pixels } from "../generate/pixels.ts";
export { type WebRuntime, type WebRuntimeOptions, webRuntime } from "./device.ts";
export { type DownloadProgress, type FetchOptions, fetchFolder } from "./fetch-folder.ts";
export { fromRgba, toRgba } from "./image-data.ts";
export type { WorkerPort } from "./messages.ts";
export { type FetchedModel, fetchLora, openModel } from "./open-model.ts";
export { remoteStudio } from "./remote-studio.ts";
export { serveStudio } from "./serve-studio.ts";
export {
  openStudio,
  type Studio,
  type StudioInfo,
  type StudioOptions,
  type WebDrawing,
  type WebDrawingEvent,
} from "./studio.ts";
