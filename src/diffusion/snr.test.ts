import { describe, expect, it } from "vitest";
import { stableDiffusionSchedule } from "./schedule.ts";
import { minSnrWeight, signalToNoise } from "./snr.ts";

describe("signalToNoise", () => {
  it("is alpha bar over its rest", () => {
    expect(signalToNoise(stableDiffusionSchedule(), 499)).toBeCloseTo(0.27766965 / (1 - 0.27766965), 6);
  });
});

describe("minSnrWeight", () => {
  it("by hand below and above gamma", () => {
    expect([2, 20].map((snr) => minSnrWeight("epsilon", snr, 5))).toEqual([1, 0.25]);
    expect([1, 19].map((snr) => minSnrWeight("v_prediction", snr, 5))).toEqual([0.5, 0.25]);
    expect([2, 20].map((snr) => minSnrWeight("sample", snr, 5))).toEqual([2, 5]);
  });

  it("is finite at pure noise", () => {
    expect(minSnrWeight("epsilon", 0, 5)).toBe(1);
    expect(minSnrWeight("v_prediction", 0, 5)).toBe(0);
  });
});
