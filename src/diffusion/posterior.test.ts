import { describe, expect, it } from "vitest";
import { ddimCoefficients } from "./ddim-step.ts";
import { posteriorCoefficients } from "./posterior.ts";

describe("posteriorCoefficients", () => {
  it("agrees with DDIM at eta 1, whose steps have the same mean and variance", () => {
    for (const [now, next] of [
      [0.3, 0.5],
      [0.01, 0.9],
      [0.6, 0.61],
    ] as const) {
      const posterior = posteriorCoefficients(now, next);
      const ddim = ddimCoefficients(now, next, 1);
      // z_t = sqrt(now) z_0 + sqrt(1 - now) e
      const epsilon = ddim.epsilon / Math.sqrt(1 - now);
      expect(posterior.sample).toBeCloseTo(epsilon, 12);
      expect(posterior.clean).toBeCloseTo(ddim.clean - epsilon * Math.sqrt(now), 12);
      expect(Math.sqrt(posterior.smallVariance)).toBeCloseTo(ddim.noise, 12);
      expect(posterior.largeVariance).toBeCloseTo(1 - now / next, 12);
    }
  });

  it("ends at the picture", () => {
    expect(posteriorCoefficients(0.99, 1)).toMatchObject({ clean: 1, sample: 0, smallVariance: 1e-20 });
  });
});
