import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { counterIntegers, counterNormal, counterPermutation, counterUniform } from "./counter.ts";

function moments(values: Float32Array): { mean: number; variance: number; skew: number; kurtosis: number } {
  const mean = values.reduce((s, x) => s + x, 0) / values.length;
  const central = (power: number) => values.reduce((s, x) => s + (x - mean) ** power, 0) / values.length;
  const variance = central(2);
  return { mean, variance, skew: central(3) / variance ** 1.5, kurtosis: central(4) / variance ** 2 };
}

function correlation(a: Float32Array, b: Float32Array): number {
  return a.reduce((s, x, i) => s + x * b[i]!, 0) / a.length;
}

describe("counterNormal", () => {
  const n = 400_000;
  const values = counterNormal(11, "noise", 0, n);

  it("has the moments of the normal distribution, within five standard errors", () => {
    const { mean, variance, skew, kurtosis } = moments(values);
    const unit = 5 / Math.sqrt(n);
    expect(Math.abs(mean)).toBeLessThan(unit);
    expect(Math.abs(variance - 1)).toBeLessThan(unit * Math.SQRT2);
    expect(Math.abs(skew)).toBeLessThan(unit * Math.sqrt(6));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(unit * Math.sqrt(24));
  });

  it("has the normal distribution's share of numbers beyond one, two and three deviations", () => {
    for (const [limit, share] of [
      [1, 0.317311],
      [2, 0.0455],
      [3, 0.0027],
    ] as const) {
      const found = values.filter((x) => Math.abs(x) > limit).length / n;
      expect(Math.abs(found - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / n));
    }
  });

  it("does not repeat itself between neighbours, steps, streams and seeds", () => {
    const limit = 5 / Math.sqrt(n);
    expect(Math.abs(correlation(values.subarray(0, n - 1), values.subarray(1)))).toBeLessThan(limit);
    for (const [seed, stream, step] of [
      [11, "noise", 1],
      [11, "nois", 0],
      [12, "noise", 0],
      [11 + 2 ** 32, "noise", 0],
    ] as const) {
      expect(Math.abs(correlation(values, counterNormal(seed, stream, step, n)))).toBeLessThan(limit);
    }
  });

  it("is a pure function whose shorter results are prefixes", () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), fc.nat(), fc.nat({ max: 40 }), (seed, stream, step, count) => {
        const short = counterNormal(seed, stream, step, count);
        expect([...counterNormal(seed, stream, step, 41).subarray(0, count)]).toEqual([...short]);
      }),
    );
  });

  it("keeps the numbers that runs of today are made of", () => {
    const found = counterNormal(1, "noise", 2, 4);
    const expected = [0.3279541, 0.7733769, 0.1414745, -0.4975891];
    for (const [i, x] of found.entries()) expect(x).toBeCloseTo(expected[i]!, 6);
  });

  it("refuses seeds and steps that are not whole numbers from 0", () => {
    expect(() => counterNormal(-1, "noise", 0, 1)).toThrow(UsageError);
    expect(() => counterNormal(1, "noise", 2 ** 32, 1)).toThrow(UsageError);
  });
});

describe("counterUniform", () => {
  it("fills [0, 1) evenly", () => {
    const n = 200_000;
    const bins = new Array<number>(20).fill(0);
    for (const x of counterUniform(5, "u", 3, n)) bins[Math.floor(x * 20)]!++;
    const chiSquared = bins.reduce((s, found) => s + (found - n / 20) ** 2 / (n / 20), 0);
    // 99.99 % quantile for 19 degrees of freedom.
    expect(chiSquared).toBeLessThan(52.4);
  });
});

describe("counterIntegers", () => {
  it("gives each number below the bound equally often", () => {
    const n = 100_000;
    const bins = new Array<number>(50).fill(0);
    for (const x of counterIntegers(5, "index", 0, n, 50)) bins[x]!++;
    const chiSquared = bins.reduce((s, found) => s + (found - n / 50) ** 2 / (n / 50), 0);
    // 99.99 % quantile for 49 degrees of freedom.
    expect(chiSquared).toBeLessThan(95);
  });

  it("refuses a bound below 1", () => {
    expect(() => counterIntegers(5, "index", 0, 1, 0)).toThrow(UsageError);
  });
});

describe("counterPermutation", () => {
  it("holds each number once, in another order each step", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 100 }), (seed, count) => {
        const order = counterPermutation(seed, "order", 0, count);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
    expect([...counterPermutation(1, "order", 0, 30)]).not.toEqual([...counterPermutation(1, "order", 1, 30)]);
  });

  it("gives the six orders of three numbers equally often", () => {
    const counts = new Map<string, number>();
    for (let step = 0; step < 6000; step++) {
      const order = counterPermutation(9, "order", step, 3).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
