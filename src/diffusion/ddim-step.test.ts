import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ddimCoefficients } from "./ddim-step.ts";

describe("ddimCoefficients", () => {
  it("by hand", () => {
    const { clean, epsilon, noise } = ddimCoefficients(0.36, 0.64, 0);
    expect([clean, epsilon, noise]).toEqual([0.8, 0.6, 0]);
    const ancestral = ddimCoefficients(0.36, 0.64, 1);
    expect(ancestral.noise ** 2).toBeCloseTo((0.36 / 0.64) * (1 - 0.36 / 0.64), 12);
  });

  it("keep the variance that belongs to the level, whatever eta is", () => {
    const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(share, share, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, eta) => {
        const [alphaBar, previous] = [Math.min(a, b), Math.max(a, b)];
        const { clean, epsilon, noise } = ddimCoefficients(alphaBar, previous, eta);
        expect(clean ** 2 + epsilon ** 2 + noise ** 2).toBeCloseTo(1, 10);
      }),
    );
  });
});
