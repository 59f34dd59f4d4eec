import { FormatError } from "../errors.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf } from "../formats/json.ts";

/** What one measurement of a run gave. */
export interface Measurement {
  /** Steps done. */
  readonly step: number;
  /** One distance for each picture of a set that never changes; 0 is best. */
  readonly distances: readonly number[];
}

/** Which of a run's measurements is the best so far, and how those after it went. */
export interface Choice {
  /** Undefined until a measurement is finite. */
  readonly best: Measurement | undefined;
  /** The newest measurement. */
  readonly last: Measurement | undefined;
  /** Measurements so far. */
  readonly count: number;
  /** How many of the newest measurements, without a break, were worse than the best beyond noise. */
  readonly worse: number;
  /** Whether that was said. */
  readonly warned: boolean;
}

/** The choice before the first measurement. */
export const noChoice: Choice = { best: undefined, last: undefined, count: 0, worse: 0, warned: false };

/** Measurements in a row that are worse beyond noise before a run is said to have peaked. */
export const worseUntilWarned = 3;

/** Standard errors of the mean difference from the best, picture by picture, that still count as noise. */
const standardErrors = 2;

/** The mean distance of a measurement. */
export function measureOf({ distances }: Measurement): number {
  return distances.reduce((sum, one) => sum + one, 0) / distances.length;
}

/**
 * Takes a measurement into account: the lowest mean distance is the best, the earlier of equals.
 *
 * Whether a later one is worse beyond noise is judged on the differences from the best, picture by picture: their mean must be
 * above two of its standard errors. What is hard for every state of the network falls out that way. A measurement that is not
 * finite is worse than any.
 */
export function withMeasurement(choice: Choice, measurement: Measurement): Choice {
  const { best } = choice;
  const next = { ...choice, last: measurement, count: choice.count + 1 };
  const measure = measureOf(measurement);
  if (Number.isFinite(measure) && (best === undefined || measure < measureOf(best))) {
    return { ...next, best: measurement, worse: 0 };
  }
  const worse = best === undefined || isWorse(measurement, best) ? choice.worse + 1 : 0;
  return { ...next, worse, warned: choice.warned || worse >= worseUntilWarned };
}

function isWorse({ distances }: Measurement, best: Measurement): boolean {
  const differences = distances.map((distance, i) => distance - best.distances[i]!);
  const n = differences.length;
  const mean = differences.reduce((sum, one) => sum + one, 0) / n;
  if (!Number.isFinite(mean)) return true;
  if (n < 2) return mean > 0;
  const variance = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (n - 1);
  return mean > standardErrors * Math.sqrt(variance / n);
}

/** What a run kept as its result, and why. */
export interface Kept {
  /** Step of the weights that are the result. */
  readonly step: number;
  /** Their measure; undefined where none was finite. */
  readonly measure: number | undefined;
  readonly lastStep: number;
  readonly lastMeasure: number;
  /** One sentence. */
  readonly reason: string;
}

/** What a choice means for a run, or undefined where nothing was measured. */
export function keptOf({ best, last, count }: Choice): Kept | undefined {
  if (last === undefined) return undefined;
  const lastMeasure = measureOf(last);
  const of = count === 1 ? "the only measurement" : `the lowest of ${count} measurements`;
  if (best === undefined) {
    const reason = `kept step ${last.step}, the last, as no measure was a finite number; try a lower rate`;
    return { step: last.step, measure: undefined, lastStep: last.step, lastMeasure, reason };
  }
  const measure = measureOf(best);
  const reason =
    best.step === last.step
      ? `kept step ${best.step}, the last: its measure ${shownMeasure(measure)} is ${of}`
      : `kept step ${best.step}: its measure ${shownMeasure(measure)} is ${of}; step ${last.step}, the last, has ${shownMeasure(lastMeasure)}`;
  return { step: best.step, measure, lastStep: last.step, lastMeasure, reason };
}

/** The sentence that warns of a run that got worse after its best measurement. */
export function peakedWarning({ best, last, worse }: Choice): string {
  if (best === undefined || last === undefined) {
    return `warning: none of ${worse} measurements is a finite number; try a lower rate`;
  }
  return `warning: quality peaked at step ${best.step} (measure ${shownMeasure(measureOf(best))}); the last ${worse} measurements are worse beyond noise (step ${last.step}: ${shownMeasure(measureOf(last))}); step ${best.step} is kept, and a lower rate may go further`;
}

/** A measure as people read it. */
export function shownMeasure(measure: number): string {
  return Number.isFinite(measure) ? measure.toPrecision(4) : "no finite number";
}

/** A choice as JSON; distances that are not finite become null. */
export function encodeChoice({ best, last, count, worse, warned }: Choice): JsonObject {
  return { best: encodeMeasurement(best), last: encodeMeasurement(last), count, worse, warned };
}

function encodeMeasurement(measurement: Measurement | undefined): JsonValue {
  if (measurement === undefined) return null;
  const { step, distances } = measurement;
  return { step, distances: distances.map((one) => (Number.isFinite(one) ? one : null)) };
}

/**
 * Reads a choice that was saved.
 * @throws FormatError naming the file and the key
 */
export function decodeChoice(value: JsonValue | undefined, place: string): Choice {
  if (!isJsonObject(value)) throw wrong(place, "choice", "an object", value);
  const number = (key: string): number => {
    const found = field(value, key);
    if (typeof found === "number" && Number.isSafeInteger(found)) return found;
    throw wrong(place, `choice.${key}`, "a whole number", found);
  };
  const measurement = (key: string): Measurement | undefined => {
    const found = field(value, key);
    if (found === null) return undefined;
    if (!isJsonObject(found)) throw wrong(place, `choice.${key}`, "an object", found);
    const step = field(found, "step");
    const distances = field(found, "distances");
    if (typeof step !== "number" || !Array.isArray(distances)) throw wrong(place, `choice.${key}`, "a step", found);
    return { step, distances: distances.map((one) => (typeof one === "number" ? one : Number.NaN)) };
  };
  return {
    best: measurement("best"),
    last: measurement("last"),
    count: number("count"),
    worse: number("worse"),
    warned: field(value, "warned") === true,
  };
}

function wrong(place: string, key: string, expected: string, found: JsonValue | undefined): FormatError {
  return new FormatError(`${place}: "${key}" must be ${expected}, but it is ${kindOf(found)}`);
}
