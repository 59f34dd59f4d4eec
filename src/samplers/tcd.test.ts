import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep, sumOfMagnitudes } from "../../test/samplers/golden.ts";
import { stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { UsageError } from "../errors.ts";
import { tcd, tcdDefaults } from "./tcd.ts";

const schedule = stableDiffusionSchedule();

describe("tcd", () => {
  it("stands at LCM's timesteps, and draws noise at every step but the last unless eta is 0", async () => {
    const drawn = async (eta: number): Promise<number> => {
      let count = 0;
      await lastStep(tcd(schedule, "epsilon", { ...tcdDefaults, eta }), {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: () => {
          count++;
          return goldenStart;
        },
      });
      return count;
    };
    expect(tcd(schedule, "epsilon", tcdDefaults).timesteps).toEqual([999, 759, 499, 259]);
    expect([await drawn(0), await drawn(0.3), await drawn(1)]).toEqual([0, 3, 3]);
  });

  it("has diffusers' published sums without noise: 29.8715 in one step, 181.2040 in ten", async () => {
    for (const [steps, sum] of [
      [1, 29.8715],
      [10, 181.204],
    ] as const) {
      const { latents } = await lastStep(tcd(schedule, "epsilon", { ...tcdDefaults, steps, eta: 0 }), {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: () => goldenStart,
      });
      expect(sumOfMagnitudes(latents)).toBeCloseTo(sum, 3);
    }
  });

  it("refuses an eta beyond 0 to 1", () => {
    for (const eta of [-0.1, 1.1, Number.NaN]) {
      expect(() => tcd(schedule, "epsilon", { ...tcdDefaults, eta })).toThrow(UsageError);
    }
  });
});
