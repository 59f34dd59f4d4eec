import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { plannedSteps, samplerForStrength } from "./strength.ts";
import { strengthRules } from "./strength-rule.ts";

const request = (steps: number, strength: number) => ({ config: {}, steps, strength });

describe("samplerForStrength", () => {
  it("keeps the steps of LCM by its own grid", () => {
    expect(samplerForStrength("lcm", request(4, 0.6), "keep").timesteps).toEqual([599, 459, 299, 159]);
    expect(samplerForStrength("lcm", request(4, 0.5), "keep").timesteps).toEqual([499, 379, 259, 139]);
    expect(samplerForStrength("lcm", request(1, 0.1), "keep").timesteps).toEqual([99]);
  });

  it("keeps the steps of other samplers by planning more", () => {
    const config = { beta_schedule: "scaled_linear", steps_offset: 1, timestep_spacing: "leading" };
    const sampler = samplerForStrength("ddim", { config, steps: 4, strength: 0.6 }, "keep");
    // Seven planned steps, 142 apart, of which the last floor(4.2) are drawn.
    expect(sampler.timesteps).toEqual([427, 285, 143, 1]);
    for (const name of ["euler", "dpm-solver++", "unipc"] as const) {
      for (const strength of [0.1, 0.33, 0.5, 0.75, 0.99, 1]) {
        expect(samplerForStrength(name, request(5, strength), "keep").timesteps.length).toBe(5);
      }
    }
  });

  it("cuts them as diffusers does, but for the last", () => {
    expect(samplerForStrength("lcm", request(4, 0.5), "cut").timesteps).toEqual([499, 259]);
    expect(samplerForStrength("lcm", request(4, 0.1), "cut").timesteps).toEqual([259]);
    expect(samplerForStrength("ddim", request(8, 0.6), "cut").timesteps.length).toBe(4);
    expect(() => samplerForStrength("tcd", request(4, 0.5), "cut")).toThrow(UsageError);
  });

  it("says what is too little", () => {
    for (const rule of strengthRules) {
      for (const strength of [0, -1, 1.01, Number.NaN]) {
        expect(() => samplerForStrength("lcm", request(4, strength), rule)).toThrow("must be above 0 and at most 1");
      }
    }
    expect(() => samplerForStrength("lcm", request(4, 0.05), "keep")).toThrow("a strength of at least 0.08");
    expect(() => samplerForStrength("ddim", request(50, 0.01), "keep")).toThrow(
      "A strength of 0.01 leaves too little noise for 50 steps; use at least 0.05 or fewer steps.",
    );
  });

  it("plans the fewest steps whose part is as wanted", () => {
    for (const steps of [1, 2, 3, 4, 8, 20]) {
      for (let hundredth = 5; hundredth <= 100; hundredth++) {
        const strength = hundredth / 100;
        const planned = plannedSteps(steps, strength);
        expect(Math.floor(planned * strength)).toBe(steps);
        expect(Math.floor((planned - 1) * strength)).toBeLessThan(steps);
      }
    }
  });
});
