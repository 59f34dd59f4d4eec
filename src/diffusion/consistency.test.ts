import { describe, expect, it } from "vitest";
import { boundaryScalings, consistencyCoefficients } from "./consistency.ts";
import { cleanCoefficients } from "./prediction.ts";

describe("boundaryScalings", () => {
  it("are the published numbers", () => {
    expect(boundaryScalings(0)).toEqual({ cSkip: 1, cOut: 0 });
    const known: readonly [t: number, cSkip: number, cOut: number][] = [
      [19, 6.92516e-6, 0.9999965374],
      [259, 3.7268e-8, 0.99999998137],
      [999, 2.505e-9, 0.99999999875],
    ];
    for (const [t, cSkip, cOut] of known) {
      const found = boundaryScalings(t);
      expect(found.cSkip / cSkip).toBeCloseTo(1, 4);
      expect(found.cOut).toBeCloseTo(cOut, 10);
    }
  });

  it("keep c_skip + c_out^2 = 1 for other scalings too", () => {
    const { cSkip, cOut } = boundaryScalings(3, { timestepScaling: 0.1, sigmaData: 0.7 });
    expect(cSkip).toBeCloseTo(0.49 / (0.09 + 0.49), 12);
    expect(cSkip + cOut ** 2).toBeCloseTo(1, 12);
  });
});

describe("consistencyCoefficients", () => {
  it("are the identity at timestep 0, whatever the network says", () => {
    for (const type of ["epsilon", "v_prediction", "sample"] as const) {
      const { sample, output } = consistencyCoefficients(type, 0.9, 0.4, boundaryScalings(0));
      expect(sample).toBe(1);
      expect(output).toBeCloseTo(0, 15);
    }
  });

  it("mix sample and clean prediction", () => {
    const scalings = { cSkip: 0.25, cOut: 0.5 };
    const [z, e] = [1.5, -0.3];
    const clean = cleanCoefficients("epsilon", 0.6, 0.8);
    const found = consistencyCoefficients("epsilon", 0.6, 0.8, scalings);
    const expected = 0.25 * z + 0.5 * (clean.sample * z + clean.output * e);
    expect(found.sample * z + found.output * e).toBeCloseTo(expected, 12);
    expect(expected).toBeCloseTo(0.25 * 1.5 + 0.5 * ((1.5 + 0.8 * 0.3) / 0.6), 12);
  });
});
