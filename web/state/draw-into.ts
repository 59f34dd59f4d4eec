import { batch } from "@preact/signals";
import { type Drawer, DrawFault, type DrawRequest } from "../drawer.ts";
import { type Pane, show } from "./pane.ts";
import { withSketch } from "./picture-text.ts";
import { allIsWell, insist } from "./trouble.ts";

/** Previews are asked for when pictures take longer than this; else the next picture is there before one is seen. */
const previewsFromSeconds = 0.6;

/** How long a picture took of late, in seconds; a step of few pictures, so that a change of settings is soon known. */
const lately = new WeakMap<Pane, number>();

export const usualSeconds = (pane: Pane): number => lately.get(pane) ?? 0;

/** Draws a picture into a pane, through troubles that pass. What is wrong with the request stands in the pane after. */
export async function drawInto(
  pane: Pane,
  drawer: Drawer,
  wanted: Omit<DrawRequest, "previews">,
  stop: AbortSignal,
): Promise<void> {
  const request = { ...wanted, previews: usualSeconds(pane) > previewsFromSeconds };
  try {
    await insist(() => attempt(pane, drawer, request, stop), stop);
    pane.fault.value = undefined;
  } catch (error) {
    stop.throwIfAborted();
    pane.fault.value = error instanceof DrawFault ? error.message : "Something went wrong in this page; reload it.";
    if (!(error instanceof DrawFault)) throw error;
  } finally {
    // What was aborted leaves its traces to the drawing that follows it, so that nothing blinks in between.
    if (!stop.aborted) atRest(pane);
  }
}

/** Nothing is drawn here any more. */
export function atRest(pane: Pane): void {
  batch(() => {
    pane.progress.value = undefined;
    pane.waiting.value = false;
    pane.preview.value = undefined;
  });
}

async function attempt(pane: Pane, drawer: Drawer, request: DrawRequest, stop: AbortSignal): Promise<void> {
  const begin = performance.now();
  pane.progress.value ??= 0;
  for await (const event of drawer.draw(request, stop)) {
    stop.throwIfAborted();
    allIsWell();
    if (event.kind === "waiting") pane.waiting.value = true;
    if (event.kind === "warnings") pane.warnings.value = event.warnings;
    if (event.kind === "step") {
      batch(() => {
        pane.waiting.value = false;
        pane.progress.value = event.step / event.steps;
        if (event.preview !== undefined && event.step < event.steps) pane.preview.value = event.preview;
      });
    }
    if (event.kind === "picture") {
      const seconds = (performance.now() - begin) / 1000;
      const png = request.init === undefined ? event.png : await withSketch(event.png, request.init);
      await show(pane, { png, request: { ...request, seed: event.seed }, settings: event.settings, seconds }, stop);
      lately.set(pane, lately.has(pane) ? (usualSeconds(pane) + seconds) / 2 : seconds);
    }
  }
}
