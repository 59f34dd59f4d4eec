import { Presets, SingleBar } from "cli-progress";
import type { TextStream } from "./command.ts";

/** Shows how far a drawing, or other work in steps, has come. */
export interface DrawingProgress {
  /** One step is done. */
  step(): void;
  /** Takes the bar away, so that something else can be written; the next step brings it back. */
  hide(): void;
}

/** A bar over all steps of all pictures on a terminal, which grows with steps beyond them; elsewhere nothing. */
export function drawingProgress(stream: TextStream, totalSteps: number, noun = "step"): DrawingProgress {
  if (stream.isTTY !== true) return { step: () => {}, hide: () => {} };
  const bar = new SingleBar(
    {
      stream: stream as NodeJS.WritableStream,
      format: `{bar} ${noun} {value} of {total}, {eta_formatted} left`,
      clearOnComplete: true,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  let done = 0;
  return {
    step() {
      done++;
      const total = Math.max(totalSteps, done);
      if (bar.isActive) {
        bar.setTotal(total);
        bar.update(done);
      } else bar.start(total, done);
    },
    hide() {
      if (bar.isActive) bar.stop();
    },
  };
}
