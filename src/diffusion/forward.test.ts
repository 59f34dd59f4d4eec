import { describe, expect, it } from "vitest";
import { forwardCoefficients } from "./forward.ts";
import { stableDiffusionSchedule } from "./schedule.ts";

describe("forwardCoefficients", () => {
  it("are the square roots of alpha bar and its rest", () => {
    const { clean, noise } = forwardCoefficients(stableDiffusionSchedule(), 499);
    expect(clean).toBeCloseTo(Math.sqrt(0.27766965), 6);
    expect(noise).toBeCloseTo(Math.sqrt(1 - 0.27766965), 6);
  });
});
