import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep } from "../../test/samplers/golden.ts";
import { UsageError } from "../errors.ts";
import { filled } from "../tensor/tensor.ts";
import { createSampler, isSamplerName, samplerNames } from "./registry.ts";

const stableDiffusion = {
  _class_name: "PNDMScheduler",
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  clip_sample: false,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
};

describe("createSampler", () => {
  it("makes each sampler from Stable Diffusion 1.5's configuration", () => {
    const of = (name: string) => createSampler(name, { config: stableDiffusion, steps: 4, strength: 1 });
    for (const name of samplerNames) expect(of(name).name).toBe(name);
    expect(of("lcm").timesteps).toEqual([999, 759, 499, 259]);
    expect(of("ddim").timesteps).toEqual([751, 501, 251, 1]);
    expect(of("euler").timesteps).toEqual([999, 666, 333, 0]);
    expect(of("euler").initNoiseSigma).toBeCloseTo(14.61464, 4);
  });

  it("makes a timetable of at least one step for any strength, or says why not", () => {
    for (const name of samplerNames) {
      const at = (strength: number) => createSampler(name, { config: stableDiffusion, steps: 1, strength });
      expect(at(0.3).timesteps).toHaveLength(1);
      expect(() => at(0)).toThrow(UsageError);
    }
  });

  it("hands the latents of every step through amend, for every sampler", async () => {
    for (const name of samplerNames) {
      const seen: number[] = [];
      const last = await lastStep(createSampler(name, { config: stableDiffusion, steps: 3, strength: 1 }), {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: () => goldenStart,
        amend: (latents, index) => {
          seen.push(index);
          return filled(latents.shape, index);
        },
      });
      expect(seen).toEqual([1, 2, 3]);
      expect(last.latents).toEqual(filled(goldenStart.shape, 3));
    }
  });

  it("names the samplers there are when there is none of that name", () => {
    const request = { config: {}, steps: 4, strength: 1 };
    expect(() => createSampler("pndm", request)).toThrow(
      `There is no sampler "pndm"; choose one of ${samplerNames.join(", ")}.`,
    );
    expect(() => createSampler("toString", request)).toThrow(UsageError);
    expect(isSamplerName("lcm")).toBe(true);
  });
});
