import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep } from "../../test/samplers/golden.ts";
import { UsageError } from "../errors.ts";
import { filled } from "../tensor/tensor.ts";
import { createSampler, isSamplerName, samplerNames, samplers } from "./registry.ts";

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
    expect(samplerNames).toEqual(Object.keys(samplers));
    expect(of("lcm").timesteps).toEqual([999, 759, 499, 259]);
    expect(of("ddim").timesteps).toEqual([751, 501, 251, 1]);
    expect(of("euler").timesteps).toEqual([999, 666, 333, 0]);
    expect(of("euler").initNoiseSigma).toBeCloseTo(14.61464, 4);
    expect(of("dpm-solver++").timesteps).toEqual([999, 749, 500, 250]);
    expect(of("pndm").timesteps).toEqual([751, 501, 501, 251, 1]);
    expect(of("heun").timesteps).toEqual([999, 666, 666, 333, 333, 0, 0]);
  });

  it("makes a timetable of at least one step for any strength, or says why not", () => {
    for (const name of samplerNames) {
      const at = (strength: number) => createSampler(name, { config: stableDiffusion, steps: 1, strength });
      expect(at(0.3).timesteps).toHaveLength(1);
      expect(() => at(0)).toThrow(UsageError);
    }
  });

  it("hands the latents of every step through amend with their level, for every sampler", async () => {
    for (const name of samplerNames) {
      const sampler = createSampler(name, { config: stableDiffusion, steps: 3, strength: 1 });
      const seen: number[] = [];
      const last = await lastStep(sampler, {
        latents: goldenStart,
        predict: goldenNetwork,
        noise: () => goldenStart,
        amend: (latents, index, level) => {
          seen.push(index);
          if (sampler.adaptive !== true) expect(level).toEqual(sampler.levelAt(index));
          return filled(latents.shape, index);
        },
      });
      expect(seen).toEqual(Array.from(seen, (_, i) => i + 1));
      if (sampler.adaptive !== true) expect(seen).toHaveLength(sampler.timesteps.length);
      expect(last.latents).toEqual(filled(goldenStart.shape, seen.length));
    }
  });

  it("asks a sampler with a timetable once at each timestep", async () => {
    for (const name of samplerNames) {
      const sampler = createSampler(name, { config: stableDiffusion, steps: 6, strength: 0.6 });
      if (sampler.adaptive === true) continue;
      const asked: number[] = [];
      await lastStep(sampler, {
        latents: goldenStart,
        predict: (x, t) => {
          asked.push(t);
          return goldenNetwork(x, t);
        },
        noise: () => goldenStart,
      });
      expect(asked).toEqual(sampler.timesteps);
    }
  });

  it("takes other programs' names, and what the user chose before what a name means", () => {
    const request = { config: stableDiffusion, steps: 4, strength: 1 };
    const karras = createSampler("DPM++ 2M Karras", request);
    expect(karras.name).toBe("dpm-solver++");
    expect(karras.timesteps).toEqual(
      createSampler("dpm-solver++", { ...request, choices: { levels: "karras" } }).timesteps,
    );
    const chosen = createSampler("DPM++ 2M Karras", { ...request, choices: { levels: "schedule" } });
    expect(chosen.timesteps).toEqual([999, 749, 500, 250]);
    expect(createSampler("euler", { ...request, choices: { spacing: "trailing" } }).timesteps).toEqual([
      999, 749, 499, 249,
    ]);
  });

  it("names the samplers there are when there is none of that name", () => {
    const request = { config: {}, steps: 4, strength: 1 };
    expect(() => createSampler("dpm2", request)).toThrow(
      `There is no sampler "dpm2"; choose one of ${samplerNames.join(", ")}.`,
    );
    expect(() => createSampler("toString", request)).toThrow(UsageError);
    expect(isSamplerName("lcm")).toBe(true);
  });
});
