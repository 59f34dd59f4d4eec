import { expect, test } from "vitest";
import { noChoice } from "../training/choice.ts";
import type { LogEntry } from "../training/log.ts";
import type { TrainingPlan } from "../training/loop.ts";
import { TrainingDisplay } from "./training-display.ts";

const plan: TrainingPlan = {
  steps: 4,
  rate: 1e-3,
  schedule: () => 1,
  picturesPerStep: 8,
  checkpointEvery: 0,
  sampleEvery: 0,
  measureEvery: 0,
};

function entry(step: number): LogEntry {
  return { step, loss: 0.5, rate: 1e-3, gradientNorm: 1, pictures: 8, milliseconds: 1000, metrics: {} };
}

function record(isTTY: boolean): { readonly display: TrainingDisplay; readonly text: () => string; now: number } {
  let text = "";
  const state = { now: 0, text: () => text };
  const stream = { isTTY, columns: 60, write: (part: string) => (text += part) };
  return Object.assign(state, { display: new TrainingDisplay(stream, () => state.now) });
}

test("in a file, a line every half minute and one at the end, and no preparations", () => {
  const file = record(false);
  file.display.preparing("checking pictures", 3, 9);
  for (const [step, now] of [
    [1, 0],
    [2, 100],
    [3, 31_000],
    [4, 31_100],
  ] as const) {
    file.now = now;
    file.display.step(entry(step), plan, noChoice);
  }
  file.display.end();
  const lines = file.text().trimEnd().split("\n");
  expect(lines.map((line) => /(\d)\/4 {2}loss 0\.5000 {2}rate 1\.0e-3/.exec(line)?.[1])).toEqual(["1", "3", "4"]);
  expect(lines[1]).toContain("8.0 pictures/s  1 s left");
  expect(file.text()).not.toContain("\u001b");
});

test("on a terminal, one line that changes, cut to its width; notices stay above it", () => {
  const terminal = record(true);
  terminal.display.preparing("checking pictures", 3, 9000);
  expect(terminal.text()).toBe("\r\u001b[2Kchecking pictures 3/9,000");
  terminal.now = 1000;
  terminal.display.step(entry(1), plan, noChoice);
  const line = terminal.text().split("\u001b[2K").at(-1)!;
  expect(line).toHaveLength(59);
  terminal.display.notice("saved");
  expect(terminal.text().endsWith(`\r\u001b[2Ksaved\n\r\u001b[2K${line}`)).toBe(true);
  terminal.display.end();
  expect(terminal.text().endsWith(`${line}\n`)).toBe(true);
});
