import { describe, expect, it } from "vitest";
import { samplerNamed, samplerNames, samplerOfConfig, samplerTitles } from "./names.ts";

describe("samplerNamed", () => {
  it("knows each sampler's own name and title, however it is written", () => {
    for (const name of samplerNames) {
      for (const word of [name, samplerTitles[name], name.toUpperCase(), name.replaceAll("-", "_")]) {
        expect(samplerNamed(word)).toEqual({ name, choices: {} });
      }
    }
  });

  it("knows names of A1111, ComfyUI and diffusers", () => {
    const known: Readonly<Record<string, readonly [string, object?]>> = {
      LCM: ["lcm"],
      "Euler a": ["euler-ancestral"],
      euler_ancestral: ["euler-ancestral"],
      PLMS: ["pndm"],
      "DPM++ 2M": ["dpm-solver++"],
      "DPM++ 2M Karras": ["dpm-solver++", { levels: "karras" }],
      "DPM++ 2M SDE Exponential": ["dpm-solver++-sde", { levels: "exponential" }],
      "DPM++ 2M SDE Heun Karras": ["dpm-solver++-sde", { solver: "heun", levels: "karras" }],
      "DPM++ 3M SDE": ["dpm-solver++-sde", { order: 3, solver: "heun", sdeCurvature: "integral" }],
      "DPM++ SDE": ["dpm-solver++-sde-single"],
      "DPM adaptive": ["dpm-solver-23"],
      dpmpp_2m_sde: ["dpm-solver++-sde"],
      uni_pc_bh2: ["unipc", { solver: "bh2" }],
      "Euler SGM Uniform": ["euler", { spacing: "trailing" }],
      "dpmsolver++": ["dpm-solver++"],
      "sde-dpmsolver++": ["dpm-solver++-sde"],
      UniPCMultistepScheduler: ["unipc"],
      HeunDiscreteScheduler: ["heun"],
    };
    for (const [word, [name, choices = {}]] of Object.entries(known)) {
      expect(samplerNamed(word), word).toEqual({ name, choices });
    }
  });

  it("knows nothing of others", () => {
    for (const word of ["", "karras", "constructor", "DPM2", "LMS Karras"]) expect(samplerNamed(word)).toBeUndefined();
  });
});

describe("samplerOfConfig", () => {
  it("goes by the class, and for DPM-Solver by the algorithm", () => {
    const of = (name: string, more: object = {}) => samplerOfConfig({ _class_name: name, ...more });
    expect(of("PNDMScheduler")).toBe("pndm");
    expect(of("EulerDiscreteScheduler")).toBe("euler");
    expect(of("EulerAncestralDiscreteScheduler")).toBe("euler-ancestral");
    expect(of("LCMScheduler")).toBe("lcm");
    expect(of("DPMSolverMultistepScheduler")).toBe("dpm-solver++");
    expect(of("DPMSolverMultistepScheduler", { algorithm_type: "sde-dpmsolver++" })).toBe("dpm-solver++-sde");
    expect(of("DPMSolverSinglestepScheduler", { algorithm_type: "dpmsolver" })).toBe("dpm-solver-single");
    expect(of("DPMSolverMultistepScheduler", { algorithm_type: "deis" })).toBe("dpm-solver++");
  });

  it("has none for other classes, and none for a folder that names none", () => {
    expect(samplerOfConfig({ _class_name: "FlowMatchEulerDiscreteScheduler" })).toBeUndefined();
    expect(samplerOfConfig({})).toBeUndefined();
  });
});
