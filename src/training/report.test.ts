import { describe, expect, test } from "vitest";
import { drawChart } from "./chart.ts";
import { type Choice, noChoice, withMeasurement } from "./choice.ts";
import type { LogEntry } from "./log.ts";
import { duration, group, progressBar, progressLine } from "./progress.ts";
import { trainingReport } from "./report.ts";
import { smooth, smoothBothWays } from "./smooth.ts";

function entryAt(step: number, changes: Partial<LogEntry> = {}): LogEntry {
  return {
    step,
    loss: 1 / step,
    rate: 1e-3,
    gradientNorm: 1,
    pictures: 32,
    milliseconds: 500,
    metrics: {},
    ...changes,
  };
}

describe("smoothing", () => {
  test("weights halve with the half-life and sum to one", () => {
    expect(smooth([4], 1)).toEqual([4]);
    expect(smooth([4, 1], 1)[1]).toBeCloseTo((4 * 0.5 + 1) / 1.5, 12);
    expect(smooth([7, 7, 7, 7], 3).every((value) => Math.abs(value - 7) < 1e-12)).toBe(true);
  });

  test("values that are not finite are passed over", () => {
    expect(smooth([2, Number.NaN, 2, Number.POSITIVE_INFINITY], 2)).toEqual([2, 2, 2, 2]);
    expect(smooth([Number.NaN, 3], 2)).toEqual([Number.NaN, 3]);
  });

  test("both ways, a slope is followed without lag", () => {
    const slope = Array.from({ length: 201 }, (_, i) => i);
    expect(smoothBothWays(slope, 5)[100]).toBeCloseTo(100, 6);
    expect(smooth(slope, 5)[100]).toBeLessThan(95);
    expect(smoothBothWays([Number.NaN, 3, Number.NaN], 2)).toEqual([3, 3, 3]);
  });
});

describe("progress", () => {
  test("names bar, step, loss, rate, speed and time left", () => {
    const entries = Array.from({ length: 300 }, (_, index) => entryAt(index + 1, { loss: 0.25 }));
    expect(progressLine(entries, { steps: 1200, barWidth: 10 })).toBe(
      "██▌······· 300/1,200  loss 0.2500  rate 1.0e-3  64 pictures/s  7 min 30 s left",
    );
  });

  test("says less before the first step, and without a clock", () => {
    expect(progressLine([], { steps: 50, barWidth: 4 })).toBe("···· 0/50");
    expect(progressLine([entryAt(50, { milliseconds: 0, loss: 2 })], { steps: 50, barWidth: 4 })).toBe(
      "████ 50/50  loss 2.000  rate 1.0e-3",
    );
  });

  test("follows the last entries: speed over two hundred, loss by its half-life", () => {
    const slow = Array.from({ length: 200 }, (_, index) => entryAt(index + 1, { milliseconds: 9000, loss: 100 }));
    const fast = Array.from({ length: 200 }, (_, index) => entryAt(index + 201, { milliseconds: 100, loss: 1 }));
    expect(progressLine([...slow, ...fast], { steps: 500, barWidth: 1 })).toBe(
      "▊ 400/500  loss 1.000  rate 1.0e-3  320 pictures/s  10 s left",
    );
  });

  test("shows the newest measure, and the best where that is another", () => {
    const first = withMeasurement(noChoice, { step: 10, distances: [0.2, 0.4] });
    const second = withMeasurement(first, { step: 20, distances: [0.5, 0.4] });
    const line = (choice: Choice): string => progressLine([entryAt(20)], { steps: 40, barWidth: 1, choice });
    expect(line(first)).toContain("rate 1.0e-3  measure 0.3000  64 pictures/s");
    expect(line(second)).toContain("measure 0.4500 (best 0.3000 at 10)");
  });

  test("bars fill in eighths", () => {
    expect([0, 1 / 16, 0.5, 0.9999, 1].map((share) => progressBar(share, 2))).toEqual(["··", "▏·", "█·", "█▉", "██"]);
  });

  test("times and numbers read well", () => {
    expect([0, 59_400, 60_000, 3_599_000, 3_600_000, 90_000_000].map(duration)).toEqual([
      "0 s",
      "59 s",
      "1 min 00 s",
      "59 min 59 s",
      "1 h 00 min",
      "1 d 01 h",
    ]);
    expect([0, 999, 1000, 1234567].map(group)).toEqual(["0", "999", "1,000", "1,234,567"]);
  });
});

describe("charts", () => {
  const chart = { title: "Loss", steps: [1, 2, 3, 4], halfLife: 0 };
  const points = (svg: string): number[][] =>
    [.../<path class="smooth" d="([^"]*)"/.exec(svg)![1]!.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);

  test("equal ratios are equal heights on a logarithmic axis, equal differences on a linear one", () => {
    const log = points(drawChart({ ...chart, axis: "logarithmic", values: [1, 0.1, 0.01, 0.001] })).map(([, y]) => y!);
    expect(log[1]! - log[0]!).toBeCloseTo(log[3]! - log[2]!, 0);
    expect(log[1]! - log[0]!).toBeGreaterThan(50);
    const linear = points(drawChart({ ...chart, axis: "linear", values: [0, 1, 2, 3] })).map(([, y]) => y!);
    expect(linear[0]).toBe(232);
    expect(linear[3]).toBe(10);
    expect(linear[0]! - linear[1]!).toBeCloseTo(74, 0);
  });

  test("a value that cannot be drawn leaves a gap", () => {
    const svg = drawChart({ ...chart, axis: "logarithmic", values: [1, Number.NaN, 0, 0.5] });
    expect(/class="smooth" d="([^"]*)"/.exec(svg)![1]!.match(/M/g)).toHaveLength(2);
    expect(drawChart({ ...chart, axis: "logarithmic", values: [0, -1, Number.NaN, 0] })).toBe("");
  });

  test("ticks are round and cover the range", () => {
    const labels = (svg: string): string[] => [...svg.matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text!);
    expect(labels(drawChart({ ...chart, axis: "linear", values: [0, 0.2, 0.3, 1] }))).toEqual([
      "0",
      "0.2",
      "0.4",
      "0.6",
      "0.8",
      "1",
    ]);
    expect(labels(drawChart({ ...chart, axis: "logarithmic", values: [1, 0.1, 0.02, 0.05] }))).toEqual([
      "0.02",
      "0.05",
      "0.1",
      "0.2",
      "0.5",
      "1",
    ]);
    expect(labels(drawChart({ ...chart, axis: "linear", values: [5, 5, 5, 5] })).length).toBeGreaterThan(3);
  });

  test("long curves are thinned to means", () => {
    const count = 60_000;
    const steps = Array.from({ length: count }, (_, index) => index + 1);
    const svg = drawChart({ title: "x", steps, values: steps.map((s) => s % 2), axis: "linear", halfLife: 0 });
    const drawn = points(svg);
    expect(drawn).toHaveLength(600);
    expect(new Set(drawn.map(([, y]) => y)).size).toBe(1);
    expect(svg.length).toBeLessThan(20_000);
  });
});

describe("report", () => {
  const entries = Array.from({ length: 40 }, (_, index) =>
    entryAt(index + 1, { metrics: index % 10 === 9 ? { "nearest <right>": index / 40 } : {} }),
  );
  const page = trainingReport({
    title: 'Base & "co"',
    config: { steps: 1000, optimizer: { beta1: 0.9 }, sample: { prompts: ["a <b>"] } },
    entries,
    sheets: [
      { step: 10, caption: "apple", mediaType: "image/png", bytes: Uint8Array.from([1, 2, 3, 250]) },
      { step: 40, caption: "", mediaType: "image/webp", bytes: Uint8Array.from({ length: 20_000 }, (_, i) => i) },
    ],
    kept: undefined,
  });

  test("holds all that it shows", () => {
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).not.toContain("<script");
    expect(page).not.toContain("url(");
    expect(page.match(/<svg /g)).toHaveLength(5);
    expect(page).toContain("prefers-color-scheme: dark");
  });

  test("shows facts, settings and sheets, newest first", () => {
    expect(page).toContain("<dt>Steps</dt><dd>40 of 1,000</dd>");
    expect(page).toContain("<dt>Pictures seen</dt><dd>1,280</dd>");
    expect(page).toContain("<dt>Time in steps</dt><dd>20 s</dd>");
    expect(page).toContain("<th>optimizer.beta1</th><td>0.9</td>");
    expect(page).toContain('src="data:image/png;base64,AQID+g=="');
    const long = /data:image\/webp;base64,([^"]*)"/.exec(page)![1]!;
    expect(Buffer.from(long, "base64").equals(Buffer.from(Uint8Array.from({ length: 20_000 }, (_, i) => i)))).toBe(
      true,
    );
    expect(page.indexOf("Step 40")).toBeLessThan(page.indexOf("Step 10: apple"));
  });

  test("escapes what people wrote", () => {
    expect(page).toContain("<title>Base &amp; &quot;co&quot;</title>");
    expect(page).toContain("<figcaption>nearest &lt;right&gt;</figcaption>");
    expect(page).toContain("<td>[&quot;a &lt;b&gt;&quot;]</td>");
    expect(page).not.toContain("<b>");
  });

  test("marks the measurement that was kept", () => {
    const measured = entries.map((entry) =>
      entry.step % 10 === 0 ? { ...entry, metrics: { measure: Math.abs(entry.step - 20) / 100 + 0.3 } } : entry,
    );
    const kept = { step: 20, measure: 0.3, lastStep: 40, lastMeasure: 0.5, reason: "kept step 20" };
    const judged = trainingReport({ title: "x", config: {}, entries: measured, sheets: [], kept });
    expect(judged).toContain("<dt>Best measure</dt><dd>0.3000 at step 20</dd>");
    expect(judged).toContain("kept step 20");
    const dot = /<circle class="mark" cx="([\d.]+)" cy="([\d.]+)"/.exec(judged)!;
    const curve = /Measure:.*?class="smooth" d="([^"]*)"/s.exec(judged)![1]!;
    expect(curve).toContain(`L${dot[1]} ${dot[2]}L`);
    expect(page).not.toContain("<circle");
  });

  test("of a run that has not begun says so", () => {
    const empty = trainingReport({ title: "x", config: {}, entries: [], sheets: [], kept: undefined });
    expect(empty).toContain("No step was logged yet.");
    expect(empty).not.toContain("<h2>");
  });
});
