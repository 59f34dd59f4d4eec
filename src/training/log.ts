import { FormatError } from "../errors.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf, parseJsonObject } from "../formats/json.ts";
import type { Kept } from "./choice.ts";

/** One line of a run's log, written after its step. */
export interface LogEntry {
  /** Steps done, this one included: the first entry says 1. */
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  /** Global L2 norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** Pictures that this step saw. */
  readonly pictures: number;
  /** Time that this step took, in milliseconds, without measures and sample sheets. */
  readonly milliseconds: number;
  /** What the objective and the measures of the run report beside the loss, by name. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * An entry as one line of JSON with its end of line; metrics that are not finite become null.
 * @param kept what the run kept as its result, for the line of the last step as users see it
 */
export function encodeLogEntry(entry: LogEntry, kept?: Kept): string {
  const { step, loss, rate, gradientNorm, pictures, milliseconds, metrics } = entry;
  const timed = Math.round(milliseconds * 10) / 10;
  return `${JSON.stringify({ step, loss, rate, gradientNorm, pictures, milliseconds: timed, metrics, kept })}\n`;
}

/**
 * Reads one line of a log.
 * @throws FormatError naming the log, the line and the field that is not what it should be.
 */
export function decodeLogEntry(line: string, place: string): LogEntry {
  const object = parseJsonObject(line, place);
  const metrics = field(object, "metrics");
  if (!isJsonObject(metrics))
    throw new FormatError(`${place}: "metrics" must be an object, but it is ${kindOf(metrics)}.`);
  return {
    step: numberOf(object, "step", place),
    loss: numberOf(object, "loss", place),
    rate: numberOf(object, "rate", place),
    gradientNorm: numberOf(object, "gradientNorm", place),
    pictures: numberOf(object, "pictures", place),
    milliseconds: numberOf(object, "milliseconds", place),
    metrics: Object.fromEntries(
      Object.entries(metrics).map(([name, value]) => [name, numberValue(value, name, place)]),
    ),
  };
}

/**
 * Reads a whole log.
 * @throws FormatError naming the first line that is not an entry.
 */
export function decodeLog(text: string, name: string): LogEntry[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => (line === "" ? [] : [decodeLogEntry(line, `${name}, line ${index + 1}`)]));
}

/** The part of a log up to a step, without lines that a crash left half-written. */
export function truncateLog(text: string, step: number): string {
  const kept: string[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      if (decodeLogEntry(line, "log").step > step) break;
    } catch {
      break;
    }
    kept.push(`${line}\n`);
  }
  return kept.join("");
}

function numberOf(object: JsonObject, key: string, place: string): number {
  return numberValue(field(object, key), key, place);
}

function numberValue(value: JsonValue | undefined, key: string, place: string): number {
  if (typeof value === "number") return value;
  if (value === null) return Number.NaN;
  throw new FormatError(`${place}: "${key}" must be a number, but it is ${kindOf(value)}.`);
}
