import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { cleanCoefficients, noiseCoefficients, targetCoefficients } from "./prediction.ts";

const angle = fc.double({ min: 0.01, max: Math.PI / 2 - 0.01, noNaN: true });
const number = fc.double({ min: -5, max: 5, noNaN: true });

describe("prediction types", () => {
  for (const type of ["epsilon", "v_prediction", "sample"] as const) {
    it(`${type}: a perfect output gives back clean latent and noise`, () => {
      fc.assert(
        fc.property(angle, number, number, (theta, clean, noise) => {
          const [alpha, sigma] = [Math.cos(theta), Math.sin(theta)];
          const z = alpha * clean + sigma * noise;
          const target = targetCoefficients(type, alpha, sigma);
          const output = target.clean * clean + target.noise * noise;
          const toClean = cleanCoefficients(type, alpha, sigma);
          const toNoise = noiseCoefficients(type, alpha, sigma);
          expect(toClean.sample * z + toClean.output * output).toBeCloseTo(clean, 8);
          expect(toNoise.sample * z + toNoise.output * output).toBeCloseTo(noise, 8);
        }),
      );
    });
  }

  it("v at alpha 0.6, sigma 0.8 by hand", () => {
    expect(cleanCoefficients("v_prediction", 0.6, 0.8)).toEqual({ sample: 0.6, output: -0.8 });
    expect(noiseCoefficients("v_prediction", 0.6, 0.8)).toEqual({ sample: 0.8, output: 0.6 });
    expect(targetCoefficients("v_prediction", 0.6, 0.8)).toEqual({ clean: -0.8, noise: 0.6 });
  });

  it("refuses to read a clean latent from pure noise and epsilon", () => {
    expect(() => cleanCoefficients("epsilon", 0, 1)).toThrow(UsageError);
    expect(cleanCoefficients("v_prediction", 0, 1)).toEqual({ sample: 0, output: -1 });
  });
});
