import { describe, expect, test } from "vitest";
import { FormatError } from "../errors.ts";
import {
  type Choice,
  decodeChoice,
  encodeChoice,
  keptOf,
  measureOf,
  noChoice,
  peakedWarning,
  withMeasurement,
  worseUntilWarned,
} from "./choice.ts";

/** A run whose measurements after steps 10, 20, ... are these. */
function measured(...measurements: readonly (readonly number[])[]): Choice {
  return measurements.reduce<Choice>(
    (choice, distances, i) => withMeasurement(choice, { step: 10 * (i + 1), distances }),
    noChoice,
  );
}

/** Four pictures of unequal difficulty, all `by` harder than at the best. */
const harder = (by: number): number[] => [0.1, 0.4, 0.9, 1.6].map((d) => d + by);

describe("the choice of a checkpoint", () => {
  test("falls on the lowest mean, the earlier of equals", () => {
    const choice = measured([0.5, 0.7], [0.2, 0.4], [0.4, 0.2], [0.3, 0.5]);
    expect(choice).toMatchObject({ best: { step: 20 }, last: { step: 40 }, count: 4 });
    expect(measureOf(choice.best!)).toBeCloseTo(0.3, 12);
  });

  test("counts what is worse than the best picture by picture, however much pictures differ from each other", () => {
    // The mean rises by 0.01, far less than the spread among pictures, but on all of them.
    expect(measured(harder(0), harder(0.01), harder(0.01)).worse).toBe(2);
  });

  test("takes as noise what gets worse on some pictures and better on others", () => {
    // Differences of 0.5, -0.4, 0.3, -0.2: their mean is 0.05, its standard error 0.21.
    const mixed = [0.6, 0.0, 1.2, 1.4];
    expect(measureOf({ step: 0, distances: mixed })).toBeGreaterThan(measureOf({ step: 0, distances: harder(0) }));
    expect(measured(harder(0), mixed, mixed, mixed)).toMatchObject({ best: { step: 10 }, worse: 0, warned: false });
  });

  test("warns once, after so many in a row that are worse; one within noise begins the count anew", () => {
    const worse = new Array<number[]>(worseUntilWarned).fill(harder(0.02));
    const almost = measured(harder(0), ...worse.slice(1), [0.6, 0.0, 1.2, 1.4], ...worse.slice(1));
    expect(almost).toMatchObject({ worse: worseUntilWarned - 1, warned: false });
    const peaked = measured(harder(0), ...worse);
    expect(peaked).toMatchObject({ worse: worseUntilWarned, warned: true });
    expect(peakedWarning(peaked)).toContain("quality peaked at step 10 (measure 0.7500)");
    expect(peakedWarning(peaked)).toContain("step 40: 0.7700");
    // A later best takes the count back; that it was said stays.
    const better = withMeasurement(peaked, { step: 50, distances: harder(-0.05) });
    expect(better).toMatchObject({ best: { step: 50 }, worse: 0, warned: true });
  });

  test("never falls on what is not finite", () => {
    const choice = measured([Number.NaN, 1], [0.5, 0.5], [Number.POSITIVE_INFINITY, 0], [Number.NaN, 0]);
    expect(choice).toMatchObject({ best: { step: 20 }, worse: 2 });
    expect(keptOf(measured([Number.NaN, 1]))).toMatchObject({ step: 10, measure: undefined });
    expect(keptOf(measured([Number.NaN, 1]))!.reason).toContain("no measure was a finite number");
  });

  test("says what was kept and why", () => {
    expect(keptOf(noChoice)).toBeUndefined();
    expect(keptOf(measured([0.25]))).toEqual({
      step: 10,
      measure: 0.25,
      lastStep: 10,
      lastMeasure: 0.25,
      reason: "kept step 10, the last: its measure 0.2500 is the only measurement",
    });
    expect(keptOf(measured([0.5], [0.25], [0.75]))).toMatchObject({
      step: 20,
      lastStep: 30,
      reason: "kept step 20: its measure 0.2500 is the lowest of 3 measurements; step 30, the last, has 0.7500",
    });
  });

  test("is the same when it is read again, and names what is damaged", () => {
    for (const choice of [noChoice, measured([0.5, 1 / 3], [Number.NaN, 0.1])]) {
      expect(decodeChoice(JSON.parse(JSON.stringify(encodeChoice(choice))), "file")).toEqual(choice);
    }
    expect(() => decodeChoice({ best: null, last: null, count: "x", worse: 0, warned: false }, "a.json")).toThrow(
      new FormatError('a.json: "choice.count" must be a whole number, but it is the text "x"'),
    );
  });
});
