import { type Signal, signal } from "@preact/signals";
import type { DownloadProgress, StudioInfo } from "../../src/web/index.ts";

/** Where the page stands with the model that it draws with. */
export type Loading =
  | { readonly kind: "fetching"; readonly loaded: number; readonly total: number }
  | { readonly kind: "ready"; readonly info: StudioInfo }
  | { readonly kind: "failed"; readonly message: string };

export const loading: Signal<Loading> = signal({ kind: "fetching", loaded: 0, total: 0 });

/** Adds up what is fetched of a model of so many bytes. */
export function countProgress(total: number): (progress: DownloadProgress) => void {
  const files = new Map<string, number>();
  return ({ file, loaded }) => {
    files.set(file, loaded);
    const sum = [...files.values()].reduce((a, b) => a + b, 0);
    if (loading.peek().kind === "fetching") loading.value = { kind: "fetching", loaded: Math.min(sum, total), total };
  };
}
