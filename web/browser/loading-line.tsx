import type { VNode } from "preact";
import type { StudioInfo } from "../../src/web/index.ts";
import { loading } from "./loading.ts";

/** A line at the foot of the page: how far the model is fetched, then what draws. */
export function LoadingLine(): VNode {
  const now = loading.value;
  switch (now.kind) {
    case "fetching":
      return (
        <p class="loading" role="status">
          <progress max={Math.max(1, now.total)} value={now.loaded} aria-label="The model is being fetched" />
          {`The model is being fetched: ${megabytes(now.loaded)} of ${megabytes(now.total)} MB`}
        </p>
      );
    case "failed":
      return (
        <p class="loading" role="status">
          {now.message}
        </p>
      );
    case "ready":
      return (
        <p class="loading" role="status">
          {[`Drawn in this browser: ${deviceOf(now.info)}`, ...now.info.notes].join("; ")}
        </p>
      );
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);

function deviceOf({ device, threads, precision }: StudioInfo): string {
  if (device === "webgpu") return `WebGPU, ${precision}`;
  return `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
