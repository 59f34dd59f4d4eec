import { effect } from "@preact/signals";
import { keep, stored } from "../state/store.ts";
import { readBitmap } from "./bitmaps.ts";
import type { SketchDocument } from "./document.ts";
import { sketch } from "./sketch-state.ts";

const key = "current";

/** Brings back the sketch of the last visit, and keeps each later one. */
export async function keepSketch(): Promise<void> {
  const kept = (await stored("sketch", key)) as SketchDocument | undefined;
  if (kept !== undefined) {
    const marks = kept.layers.flatMap((layer) => layer.marks);
    await Promise.all(marks.map((mark) => (mark.kind === "picture" ? readBitmap(mark.picture).catch(() => {}) : {})));
    sketch.value = kept;
  }
  let first = true;
  effect(() => {
    const now = sketch.value;
    if (!first) void keep("sketch", key, now);
    first = false;
  });
}
