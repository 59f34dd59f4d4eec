import { effect, untracked } from "@preact/signals";
import type { Drawer, DrawRequest } from "../drawer.ts";
import { exportSketch } from "../sketch/export-sketch.ts";
import { atRest, drawInto, usualSeconds } from "./draw-into.ts";
import { follower } from "./follower.ts";
import { accelerator, loadOffers, offers } from "./offers.ts";
import { comparePane, mainPane } from "./pane.ts";
import { randomSeed, settings } from "./settings.ts";
import { watch } from "./trouble.ts";
import { type Wanted, wanted, wantsTheSame } from "./wanted.ts";

/** The outdated may go on for a part of the time that a picture takes, within these bounds. Milliseconds. */
const patience = { least: 30, most: 200, part: 0.25 };

/** Lets the pictures follow what the user does, until it is stopped. */
export function startStudio(drawer: Drawer, stop: AbortSignal): void {
  const following = follower<Wanted>(
    (now, signal) => drawRound(drawer, now, signal),
    () => Math.min(patience.most, Math.max(patience.least, 1000 * patience.part * usualSeconds(mainPane))),
  );
  let last: Wanted | undefined;
  const leave = [
    effect(() => {
      // Another model may have other LoRAs.
      void settings.model.value;
      untracked(() => loadOffers(drawer, stop).catch(report));
    }),
    effect(() => {
      const now = wanted.value;
      const same = now !== undefined && last !== undefined && wantsTheSame(now, last);
      last = now;
      if (same) return;
      untracked(() => {
        if (now !== undefined) return following.want(now);
        following.stop();
        for (const pane of [mainPane, comparePane]) atRest(pane);
      });
    }),
  ];
  stop.addEventListener("abort", () => {
    for (const end of leave) end();
    following.stop();
  });
  // What was being drawn goes on by itself; but it may have other LoRAs now.
  watch(drawer, () => void loadOffers(drawer, stop).catch(report), stop).catch(report);
}

/** Draws what is wanted, then what stands beside it. */
async function drawRound(
  drawer: Drawer,
  { request, sketch, compareSteps }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const seed = request.seed ?? randomSeed();
  // Not looked at while it is not locked, so this begins no further round.
  if (request.seed === undefined) settings.seed.value = seed;
  const { width = 1, height = 1 } = request.size ?? {};
  const init = sketch === undefined ? undefined : await exportSketch(sketch.document, sketch.live, height / width);
  signal.throwIfAborted();
  const whole = { ...request, seed, ...(init === undefined ? {} : { init }) };
  await drawInto(mainPane, drawer, whole, signal);
  if (compareSteps !== undefined) await drawInto(comparePane, drawer, plainRequest(whole, compareSteps), signal);
}

/** The same without acceleration: DDIM, with the guidance that suits the model. */
function plainRequest(request: Omit<DrawRequest, "previews">, steps: number): Omit<DrawRequest, "previews"> {
  const { guidance: _, ...rest } = request;
  const loras = rest.loras.filter(({ name }) => name !== accelerator.peek());
  return { ...rest, loras, sampler: "ddim", lcm: false, steps };
}

/** Aborted work is done with; all else is for whoever looks at the browser's console. */
function report(error: unknown): void {
  if (!(error instanceof DOMException && error.name === "AbortError")) console.error(error);
  if (offers.peek() === undefined) mainPane.fault.value = "What the server can draw with is not known.";
}
