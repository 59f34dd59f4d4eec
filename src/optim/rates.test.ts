import { describe, expect, test } from "vitest";
import { addUp } from "./accumulate.ts";
import { clipFactor, sumOfSquares } from "./clip.ts";
import { constantRate, cosineDecay, decayOverLastThird, linearWarmUp, product } from "./rates.ts";

describe("rates", () => {
  test("a constant rate is always full", () => {
    expect([0, 1, 10 ** 6].map(constantRate)).toEqual([1, 1, 1]);
  });

  test("a warm-up rises in equal steps and never begins at nothing", () => {
    expect([0, 1, 2, 3, 4, 100].map(linearWarmUp(4))).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
    expect([0, 1].map(linearWarmUp(0))).toEqual([1, 1]);
  });

  test("a cosine falls by half a wave between its ends", () => {
    const rate = cosineDecay(10, 30);
    expect(rate(0)).toBe(1);
    expect(rate(10)).toBe(1);
    expect(rate(15)).toBeCloseTo(0.8535533905932737, 12);
    expect(rate(20)).toBeCloseTo(0.5, 12);
    expect(rate(30)).toBeCloseTo(0, 12);
    expect(rate(31)).toBeCloseTo(0, 12);
    expect(cosineDecay(0, 10, 0.2)(5)).toBeCloseTo(0.6, 12);
  });

  test("the last third falls in a straight line to near nothing", () => {
    const rate = decayOverLastThird(31, 0.1);
    expect([0, 19, 20].map(rate)).toEqual([1, 1, 1]);
    expect(rate(25)).toBeCloseTo(0.55, 12);
    expect(rate(30)).toBeCloseTo(0.1, 12);
    expect(decayOverLastThird(1)(0)).toBe(1);
  });

  test("schedules multiply", () => {
    const rate = product(linearWarmUp(10), cosineDecay(0, 10));
    expect(rate(4)).toBeCloseTo(0.5 * cosineDecay(0, 10)(4), 12);
    expect(product()(3)).toBe(1);
  });
});

describe("clipping and accumulation", () => {
  test("sums squares over a range of any length", () => {
    const gradients = Float32Array.from([9, 1, 2, 3, 4, 5, 6, 9]);
    expect(sumOfSquares(gradients, 1, 7)).toBe(91);
    expect(sumOfSquares(gradients, 1, 3)).toBe(5);
    expect(sumOfSquares(gradients, 3, 3)).toBe(0);
  });

  test("clips only what is longer than allowed", () => {
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(4, 1)).toBeCloseTo(1 / 4.000001, 12);
    expect(clipFactor(1e9, Number.POSITIVE_INFINITY)).toBe(1);
    expect(clipFactor(0, 1)).toBe(1);
  });

  test.each([1, 3, 4, 9])("adds vectors up within a range of %i and sums the squares", (length) => {
    const ramp = (slope: number): Float32Array => Float32Array.from({ length: 12 }, (_, i) => slope * i);
    const total = ramp(1);
    const expected = Array.from(total, (x, i) => (i >= 2 && i < 2 + length ? 7 * x : x));
    const squares = expected.slice(2, 2 + length).reduce((sum, x) => sum + x * x, 0);
    expect(addUp([total, ramp(2), ramp(4)], 2, 2 + length)).toBe(squares);
    expect([...total]).toEqual(expected);
    expect(addUp([total], 2, 2 + length)).toBe(squares);
  });
});
