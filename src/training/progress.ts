import { type Choice, measureOf, noChoice, shownMeasure } from "./choice.ts";
import type { LogEntry } from "./log.ts";
import { smooth } from "./smooth.ts";

/** How a line of progress is laid out. */
export interface ProgressOptions {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Letters of the bar. */
  readonly barWidth: number;
  /** What was measured so far. */
  readonly choice?: Choice;
}

/** Entries from which the figures of the line are taken; older ones change none of its digits. */
const lookBack = 200;
const halfLife = 20;

/**
 * One line of text on a run: bar, step, smoothed loss, rate, measures, pictures per second, time left.
 * @param entries the log so far, or its last two hundred entries
 */
export function progressLine(
  entries: readonly LogEntry[],
  { steps, barWidth, choice = noChoice }: ProgressOptions,
): string {
  const recent = entries.slice(-lookBack);
  const last = recent.at(-1);
  const step = last?.step ?? 0;
  const done = Math.min(1, step / steps);
  const place = `${progressBar(done, barWidth)} ${group(step)}/${group(steps)}`;
  if (last === undefined) return place;
  const loss = smooth(
    recent.map((entry) => entry.loss),
    halfLife,
  ).at(-1)!;
  const parts = [place, `loss ${loss.toPrecision(4)}`, `rate ${last.rate.toExponential(1)}`];
  parts.push(...measures(choice));
  const milliseconds = recent.reduce((sum, entry) => sum + entry.milliseconds, 0);
  if (milliseconds > 0) {
    const pictures = recent.reduce((sum, entry) => sum + entry.pictures, 0);
    const left = (steps - step) * (milliseconds / recent.length);
    parts.push(`${round((pictures / milliseconds) * 1000)} pictures/s`, `${duration(left)} left`);
  }
  return parts.join("  ");
}

function measures({ best, last }: Choice): string[] {
  if (last === undefined) return [];
  const newest = `measure ${shownMeasure(measureOf(last))}`;
  if (best === undefined || best.step === last.step) return [newest];
  return [`${newest} (best ${shownMeasure(measureOf(best))} at ${group(best.step)})`];
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** A bar that is filled to a share from 0 to 1, to an eighth of a letter. */
export function progressBar(share: number, width: number): string {
  const filled = Math.floor(share * width * 8);
  const bar = "█".repeat(Math.floor(filled / 8)) + eighths[filled % 8]!;
  return bar.padEnd(width, "·");
}

/** A length of time in its two largest units: "4 s", "12 min 30 s", "3 h 05 min", "2 d 07 h". */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** A whole number with its thousands apart: 12,345. */
export function group(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}
