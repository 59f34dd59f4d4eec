import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep, sumOfMagnitudes } from "../../test/samplers/golden.ts";
import { stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { UsageError } from "../errors.ts";
import { ddim, ddimDefaults, ddimFromConfig } from "./ddim.ts";

const schedule = stableDiffusionSchedule();
const noNoise = () => {
  throw new Error("A deterministic sampler asked for noise.");
};

describe("ddim", () => {
  it("has diffusers' published sums in ten steps: 172.0067 for epsilon, 52.5302 for v", async () => {
    for (const [prediction, sum, mean] of [
      ["epsilon", 172.0067, 0.223967],
      ["v_prediction", 52.5302, 0.0684],
    ] as const) {
      const config = { beta_schedule: "linear", clip_sample: true, prediction_type: prediction };
      const last = await lastStep(ddimFromConfig({ config, steps: 10, strength: 1 }), {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: noNoise,
      });
      expect(sumOfMagnitudes(last.latents)).toBeCloseTo(sum, 3);
      expect(sumOfMagnitudes(last.latents) / 768).toBeCloseTo(mean, 4);
    }
  });

  it("stands at Stable Diffusion's timesteps", () => {
    const at = (steps: number, strength = 1) =>
      ddim(schedule, "epsilon", { ...ddimDefaults, steps, strength }).timesteps;
    expect(at(4)).toEqual([751, 501, 251, 1]);
    expect(at(50).slice(0, 3)).toEqual([981, 961, 941]);
    expect(at(4, 0.5)).toEqual([251, 1]);
    expect(at(4, 0.1)).toEqual([1]);
  });

  it("follows a perfect prediction straight to the picture", async () => {
    const sampler = ddim(schedule, "epsilon", { ...ddimDefaults, steps: 7, finalAlphaBar: "one" });
    const picture = 0.25;
    const alphaBar = (t: number) => schedule.alphaBars[t]!;
    const last = await lastStep(sampler, {
      latents: goldenStart,
      // The noise that would make these latents of a picture that is 0.25 everywhere.
      predict: async (x, t) => ({
        ...x,
        data: x.data.map((z) => (z - Math.sqrt(alphaBar(t)) * picture) / Math.sqrt(1 - alphaBar(t))),
      }),
      noise: noNoise,
    });
    for (const value of last.latents.data) expect(value).toBeCloseTo(picture, 5);
  });

  it("refuses an offset that leaves the schedule", async () => {
    expect(() => ddim(schedule, "epsilon", { ...ddimDefaults, steps: 1000 })).toThrow(UsageError);
  });
});
