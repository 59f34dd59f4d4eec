import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep, sumOfMagnitudes } from "../../test/samplers/golden.ts";
import { stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import { euler, eulerDefaults, eulerFromConfig } from "./euler.ts";

const schedule = stableDiffusionSchedule();
const noNoise = () => {
  throw new Error("A deterministic sampler asked for noise.");
};

describe("euler", () => {
  it("has the sums that diffusers 0.42.1 gives for its test's ten steps", async () => {
    for (const [spacing, sum] of [
      ["linspace", 169.4608],
      ["leading", 172.0067],
      ["trailing", 170.0316],
    ] as const) {
      const sampler = eulerFromConfig({ config: { timestep_spacing: spacing }, steps: 10, strength: 1 });
      const last = await lastStep(sampler, {
        latents: linearCombination([[sampler.initNoiseSigma, goldenStart]]),
        predict: goldenNetwork,
        noise: noNoise,
      });
      expect(sumOfMagnitudes(last.latents)).toBeCloseTo(sum, 3);
    }
  });

  it("starts from the highest level, and with leading timesteps from its length with the picture's", () => {
    const leading = euler(schedule, "epsilon", { ...eulerDefaults, steps: 4 });
    expect(leading.timesteps).toEqual([751, 501, 251, 1]);
    expect(leading.initNoiseSigma).toBeCloseTo(Math.hypot(leading.levelAt(0).noise, 1), 10);
    const trailing = euler(schedule, "epsilon", { ...eulerDefaults, steps: 4, spacing: "trailing" });
    expect(trailing.initNoiseSigma).toBeCloseTo(14.61464, 4);
    expect(trailing.levelAt(4)).toEqual({ clean: 1, noise: 0 });
  });

  it("shows the network latents of unit variance", async () => {
    const sampler = euler(schedule, "epsilon", { ...eulerDefaults, steps: 1, spacing: "trailing" });
    const { noise } = sampler.levelAt(0);
    let seen = 0;
    await lastStep(sampler, {
      latents: { type: "float32", shape: [1], data: Float32Array.of(2) },
      predict: async (x) => {
        seen = x.data[0]!;
        return x;
      },
      noise: noNoise,
    });
    expect(seen).toBeCloseTo(2 / Math.hypot(noise, 1), 6);
  });

  it("keeps at least one step at any strength", () => {
    expect(euler(schedule, "epsilon", { ...eulerDefaults, steps: 4, strength: 0.01 }).timesteps).toEqual([1]);
  });

  it("refuses two spacings of levels at once", () => {
    const config = { use_beta_sigmas: true, use_karras_sigmas: true };
    expect(() => eulerFromConfig({ config, steps: 4, strength: 1 })).toThrow(
      "The scheduler configuration asks for karras and beta noise levels at once; set one of them.",
    );
  });
});
