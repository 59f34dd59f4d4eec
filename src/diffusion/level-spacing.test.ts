import { describe, expect, it } from "vitest";
import { betaQuantile } from "./beta-quantile.ts";
import { spreadLevels } from "./level-spacing.ts";

describe("betaQuantile", () => {
  it("has scipy 1.17's numbers for Beta(0.6, 0.6), and the arcsine law's for Beta(1/2, 1/2)", () => {
    const known = [
      [0, 0],
      [0.01, 0.000861238821542906],
      [0.125, 0.0571563636224141],
      [0.4, 0.362700990753214],
      [0.5, 0.5],
      [0.9, 0.960415594411219],
      [1, 1],
    ];
    for (const [share, x] of known) expect(betaQuantile(0.6, share!)).toBeCloseTo(x!, 12);
    for (const share of [0, 0.01, 0.3, 0.5, 0.77, 1]) {
      expect(betaQuantile(0.5, share)).toBeCloseTo(Math.sin((Math.PI * share) / 2) ** 2, 12);
      expect(betaQuantile(1, share)).toBeCloseTo(share, 12);
    }
  });
});

describe("spreadLevels", () => {
  it("goes from the highest to the lowest, evenly in what its name says", () => {
    for (const spacing of ["karras", "exponential", "lu", "beta"] as const) {
      const levels = spreadLevels(spacing, 14.6, 0.03, 9);
      expect(levels).toHaveLength(9);
      expect(levels[0]).toBeCloseTo(14.6, 10);
      expect(levels[8]).toBeCloseTo(0.03, 10);
      for (let i = 1; i < 9; i++) expect(levels[i]).toBeLessThan(levels[i - 1]!);
      expect(spreadLevels(spacing, 14.6, 0.03, 1)[0]).toBeCloseTo(14.6, 10);
    }
    const [a, b, c] = spreadLevels("exponential", 8, 2, 3);
    expect([a, b, c]).toEqual([expect.closeTo(8, 12), expect.closeTo(4, 12), expect.closeTo(2, 12)]);
    expect(spreadLevels("beta", 3, 1, 3)[1]).toBeCloseTo(2, 12);
  });
});
