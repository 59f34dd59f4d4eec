import type { JsonObject } from "../formats/json.ts";
import { type Chart, drawChart } from "./chart.ts";
import { type Kept, shownMeasure } from "./choice.ts";
import type { LogEntry } from "./log.ts";
import { duration, group } from "./progress.ts";
import { base64, escapeText, settingsTable } from "./report-parts.ts";
import { reportStyle } from "./report-style.ts";
import { smooth } from "./smooth.ts";

/** A picture of pictures, drawn at a step. */
export interface SampleSheet {
  readonly step: number;
  /** What the sheet shows, such as its prompts in order. */
  readonly caption: string;
  readonly mediaType: "image/png" | "image/jpeg" | "image/webp";
  /** The bytes of the sheet's file. */
  readonly bytes: Uint8Array;
}

/** What a report is made of. */
export interface TrainingReport {
  readonly title: string;
  readonly config: JsonObject;
  readonly entries: readonly LogEntry[];
  readonly sheets: readonly SampleSheet[];
  /** Which weights are the result, where they were measured. */
  readonly kept: Kept | undefined;
}

/** An HTML page on a run that needs no other file: curves, sample sheets (newest first) and settings. */
export function trainingReport({ title, config, entries, sheets, kept }: TrainingReport): string {
  const charts = chartsOf(entries, kept)
    .map((chart) => ({ title: chart.title, drawing: drawChart(chart) }))
    .filter(({ drawing }) => drawing !== "")
    .map(({ title, drawing }) => `<figure><figcaption>${title}</figcaption>${drawing}</figure>`);
  const newestFirst = [...sheets].sort((a, b) => b.step - a.step);
  const part = (heading: string, content: string): string =>
    content === "" ? "" : `<section><h2>${heading}</h2>${content}</section>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${summary(entries, config, kept)}
${part("Curves", charts.length === 0 ? "" : `<div class="charts">${charts.join("\n")}</div>`)}
${part("Sample sheets", newestFirst.map(drawSheet).join("\n"))}
${part("Settings", settingsTable(config))}
</main>
</body>
</html>
`;
}

function summary(entries: readonly LogEntry[], config: JsonObject, kept: Kept | undefined): string {
  const last = entries.at(-1);
  if (last === undefined) return "<p>No step was logged yet.</p>";
  const { steps } = config;
  const milliseconds = entries.reduce((sum, entry) => sum + entry.milliseconds, 0);
  const pictures = entries.reduce((sum, entry) => sum + entry.pictures, 0);
  const loss = smooth(
    entries.map((entry) => entry.loss),
    halfLifeOf(entries.length),
  ).at(-1)!;
  const facts: [string, string][] = [
    ["Steps", group(last.step) + (typeof steps === "number" ? ` of ${group(steps)}` : "")],
    ["Loss, smoothed", loss.toPrecision(4)],
    ["Pictures seen", group(pictures)],
    ["Time in steps", duration(milliseconds)],
  ];
  if (milliseconds > 0) facts.push(["Pictures per second", ((pictures / milliseconds) * 1000).toPrecision(3)]);
  if (kept?.measure !== undefined) {
    facts.push(["Best measure", `${shownMeasure(kept.measure)} at step ${group(kept.step)}`]);
  }
  const list = facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("");
  return `<dl class="facts">${list}</dl>${kept === undefined ? "" : `<p>So far: ${escapeText(kept.reason)}.</p>`}`;
}

function halfLifeOf(count: number): number {
  return Math.max(3, count / 60);
}

function chartsOf(entries: readonly LogEntry[], kept: Kept | undefined): Chart[] {
  const steps = entries.map(({ step }) => step);
  const halfLife = halfLifeOf(entries.length);
  const chart = (title: string, axis: Chart["axis"], half: number, value: (entry: LogEntry) => number): Chart => ({
    title: escapeText(title),
    steps,
    values: entries.map(value),
    axis,
    halfLife: half,
  });
  const metrics = entries.flatMap((entry) => Object.keys(entry.metrics));
  return [
    chart("Loss", "logarithmic", halfLife, ({ loss }) => loss),
    chart("Rate", "linear", 0, ({ rate }) => rate),
    chart("Pictures per second", "linear", halfLife, (entry) => (entry.pictures / entry.milliseconds) * 1000),
    chart("Norm of the gradient", "logarithmic", halfLife, ({ gradientNorm }) => gradientNorm),
    ...[...new Set(metrics)].sort().map((name) => metricChart(name, entries, halfLife, kept)),
  ];
}

/** Metrics may be measured rarely: their curve joins the steps that have them. */
function metricChart(name: string, entries: readonly LogEntry[], halfLife: number, kept: Kept | undefined): Chart {
  const measured = entries.flatMap(({ step, metrics }) => {
    const value = metrics[name];
    return value === undefined ? [] : [{ step, value }];
  });
  const isMeasure = name === "measure";
  return {
    title: isMeasure ? "Measure: distance from the teacher's pictures; the dot is kept" : escapeText(name),
    ...(isMeasure && kept !== undefined ? { mark: kept.step } : {}),
    steps: measured.map(({ step }) => step),
    values: measured.map(({ value }) => value),
    axis: "linear",
    halfLife: measured.length > 200 ? halfLife : 0,
  };
}

function drawSheet({ step, caption, mediaType, bytes }: SampleSheet): string {
  const text = `Step ${group(step)}${caption === "" ? "" : `: ${escapeText(caption)}`}`;
  return `<figure><figcaption>${text}</figcaption><img class="sheet" alt="${text}" src="data:${mediaType};base64,${base64(bytes)}"></figure>`;
}
