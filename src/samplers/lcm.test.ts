import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep, sumOfMagnitudes } from "../../test/samplers/golden.ts";
import { linearBetas, noiseSchedule, stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { UsageError } from "../errors.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { elementCount, float32 } from "../tensor/tensor.ts";
import { lcm, lcmDefaults } from "./lcm.ts";

const schedule = stableDiffusionSchedule();

describe("lcm", () => {
  it("has diffusers' published sums: 18.7097 in one step, 197.7616 in ten", async () => {
    for (const [steps, sum, mean] of [
      [1, 18.7097, 0.0244],
      [10, 197.7616, 0.2575],
    ] as const) {
      const generator = new Mt19937(0);
      const last = await lastStep(lcm(schedule, "epsilon", { ...lcmDefaults, steps }), {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: () => float32(goldenStart.shape, generator.randn(elementCount(goldenStart.shape))),
      });
      expect(sumOfMagnitudes(last.latents)).toBeCloseTo(sum, 3);
      expect(sumOfMagnitudes(last.latents) / 768).toBeCloseTo(mean, 4);
    }
  });

  it("asks for noise at every step but the last, and ends at what it denoised", async () => {
    let drawn = 0;
    const timesteps: number[] = [];
    const last = await lastStep(lcm(schedule, "epsilon", lcmDefaults), {
      latents: goldenStart,
      predict: (x, t) => {
        timesteps.push(t);
        return goldenNetwork(x, t);
      },
      noise: () => {
        drawn++;
        return goldenStart;
      },
    });
    expect(timesteps).toEqual([999, 759, 499, 259]);
    expect(drawn).toBe(3);
    expect(last.latents).toEqual(last.denoised);
  });

  it("keeps all steps at half strength and names the level they start from", () => {
    const sampler = lcm(schedule, "epsilon", { ...lcmDefaults, strength: 0.5 });
    expect(sampler.timesteps).toEqual([499, 379, 259, 139]);
    expect(sampler.levelAt(0).clean).toBeCloseTo(Math.sqrt(0.27766965), 6);
    expect(sampler.levelAt(4)).toEqual({ clean: 1, noise: 0 });
  });

  it("refuses more steps than the schedule's grid", () => {
    expect(() => lcm(schedule, "epsilon", { ...lcmDefaults, steps: 60 })).toThrow(UsageError);
    const short = noiseSchedule(linearBetas(0.0001, 0.02, 20));
    expect(() => lcm(short, "epsilon", lcmDefaults)).toThrow("distillation timesteps is 50");
  });
});
