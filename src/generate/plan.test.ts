import { describe, expect, it } from "vitest";
import { planDrawing, planWarnings } from "./plan.ts";

describe("planDrawing", () => {
  it("draws accelerated models in four steps of LCM without guidance", () => {
    expect(planDrawing({}, "lcm-lora")).toEqual({ sampler: "lcm", steps: 4, guidanceScale: 1 });
  });

  it("draws plain models in 32 steps of DDIM with guidance", () => {
    expect(planDrawing({}, "none")).toEqual({ sampler: "ddim", steps: 32, guidanceScale: 4 });
  });

  it("gives full latent consistency models the guidance that diffusers gives them", () => {
    expect(planDrawing({}, "full")).toEqual({ sampler: "lcm", steps: 4, guidanceScale: 8.5 });
  });

  it("completes a wish for another sampler as for plain models, also with an LCM-LoRA", () => {
    expect(planDrawing({ sampler: "euler" }, "lcm-lora")).toEqual({ sampler: "euler", steps: 32, guidanceScale: 4 });
  });

  it("keeps each wish", () => {
    const wishes = { sampler: "ddim", steps: 11, guidanceScale: 2.5 } as const;
    expect(planDrawing(wishes, "lcm-lora")).toEqual(wishes);
    expect(planDrawing({ steps: 2 }, "lcm-lora")).toEqual({ sampler: "lcm", steps: 2, guidanceScale: 1 });
  });
});

describe("planWarnings", () => {
  const lcm = { sampler: "lcm", steps: 4, guidanceScale: 1 } as const;
  const ddim = { sampler: "ddim", steps: 32, guidanceScale: 4 } as const;

  it("says nothing about what is usual", () => {
    expect(planWarnings(lcm, "lcm-lora", "")).toEqual([]);
    expect(planWarnings({ ...lcm, guidanceScale: 2 }, "lcm-lora", "a leaf")).toEqual([]);
    expect(planWarnings({ ...lcm, guidanceScale: 8.5 }, "full", "")).toEqual([]);
    expect(planWarnings(ddim, "none", "a leaf")).toEqual([]);
  });

  it("warns of guidance over 2 with LCM", () => {
    expect(planWarnings({ ...lcm, guidanceScale: 2.1 }, "lcm-lora", "")).toEqual([
      "a guidance of 2.1 is high for LCM, which has learnt guidance already; use 1 to 2.",
    ]);
  });

  it("warns of a negative prompt without guidance", () => {
    expect(planWarnings(lcm, "lcm-lora", "a leaf")).toEqual([
      "the negative prompt has no effect with a guidance of 1; use a guidance above 1, such as 1.5.",
    ]);
    expect(planWarnings({ ...lcm, guidanceScale: 8.5 }, "full", "a leaf")).toEqual([
      "the negative prompt has no effect: a full latent consistency model takes none.",
    ]);
  });

  it("warns of the lcm sampler, or of few steps, without acceleration", () => {
    expect(planWarnings(lcm, "none", "")).toEqual([
      "the lcm sampler needs an LCM-LoRA; without one its pictures are blurred.",
    ]);
    expect(planWarnings({ ...ddim, steps: 4 }, "none", "")).toEqual([
      "4 steps of ddim is too little without an LCM-LoRA; use at least 8 steps.",
    ]);
  });
});
