import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { ddimSolver } from "./ddim-solver.ts";
import { forwardCoefficients } from "./forward.ts";
import { alphaBarAt, stableDiffusionSchedule } from "./schedule.ts";

const schedule = stableDiffusionSchedule();

describe("ddimSolver", () => {
  const steps = ddimSolver(schedule, 50);

  it("goes from 20 n + 19 to 20 below, the first to 0", () => {
    expect(steps.map((s) => s.start)).toEqual(Array.from({ length: 50 }, (_, n) => 20 * n + 19));
    expect(steps.map((s) => s.end)).toEqual([0, ...Array.from({ length: 49 }, (_, n) => 20 * n + 19)]);
  });

  it("ends the first step at the first timestep's alpha bar, not at 1", () => {
    expect(steps[0]!.coefficients.clean).toBeCloseTo(Math.sqrt(0.99915), 6);
    expect(steps[49]!.coefficients.epsilon).toBeCloseTo(Math.sqrt(1 - alphaBarAt(schedule, 979)), 12);
  });

  it("carries a noised latent with its own noise exactly down the trajectory", () => {
    for (const { start, end, coefficients } of steps) {
      const [clean, noise] = [1.3, -0.7];
      expect(forwardCoefficients(schedule, start).noise).toBeGreaterThan(forwardCoefficients(schedule, end).noise);
      const expected =
        forwardCoefficients(schedule, end).clean * clean + forwardCoefficients(schedule, end).noise * noise;
      expect(coefficients.clean * clean + coefficients.epsilon * noise).toBeCloseTo(expected, 10);
      expect(coefficients.noise).toBe(0);
    }
  });

  it("refuses a grid finer than the schedule", () => {
    expect(() => ddimSolver(schedule, 1001)).toThrow(UsageError);
  });
});
