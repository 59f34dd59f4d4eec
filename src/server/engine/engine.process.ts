import "../../node/no-telemetry.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { EngineQuestion, EngineReport } from "./messages.ts";
import { createStudio } from "./studio.ts";

/**
 * The engine's process: a breakdown of native code in it takes one drawing along and not the server. It is asked over the
 * channel to its parent, one `draw` after another, and ends with it.
 */
const tell = (report: EngineReport): void => {
  if (process.connected) process.send?.(report);
};
const studio = createStudio(onnxRuntime(), tell);
const hands = new Map<string, AbortController>();
let last: Promise<void> = Promise.resolve();

process.on("message", (question: EngineQuestion) => {
  if (question.kind === "cancel") {
    hands.get(question.job)?.abort();
    return;
  }
  const { jobs, batch } = question;
  const signals = new Map<string, AbortSignal>();
  for (const { id } of jobs) {
    const hand = new AbortController();
    hands.set(id, hand);
    signals.set(id, hand.signal);
  }
  last = last
    .then(() => studio.draw(jobs, batch, signals))
    .finally(() => {
      for (const { id } of jobs) hands.delete(id);
    });
});
process.on("disconnect", () => process.exit(0));
// A terminal's Ctrl-C goes to the whole group; when to end is the parent's to say.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});

// The parent may have ended while this process loaded.
if (!process.connected) process.exit(0);
tell({ kind: "ready" });
