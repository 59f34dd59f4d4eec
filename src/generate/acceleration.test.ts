import { describe, expect, it } from "vitest";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { accelerationOfNames, namesInMetadata, publishedLcmLora } from "./acceleration.ts";
import { planDrawing, planWarnings } from "./plan.ts";

describe("LoRAs that accelerate", () => {
  it.each([
    ["pytorch-lcm-lora-sdv1-5", "lcm-lora"],
    ["LCM_LoRA_Weights_SD15", "lcm-lora"],
    ["TCD-SDXL-LoRA", { title: "a TCD-LoRA", sampler: "tcd", choices: { eta: 0.3 }, steps: 4, guidanceScale: 1 }],
    ["Hyper-SDXL-1step-lora", { sampler: "tcd", choices: { eta: 1 }, steps: 1, guidanceScale: 1 }],
    ["Hyper-SD15-2steps-lora", { sampler: "ddim", choices: { spacing: "trailing" }, steps: 2, guidanceScale: 1 }],
    ["Hyper-SDXL-8steps-lora", { sampler: "ddim", steps: 8, guidanceScale: 1 }],
    ["Hyper-SDXL-12steps-CFG-lora", { sampler: "ddim", steps: 12, guidanceScale: 5 }],
    ["sdxl_lightning_4step_lora", { sampler: "euler", choices: { spacing: "trailing" }, steps: 4, guidanceScale: 1 }],
  ])("%s", (name, expected) => {
    const found = accelerationOfNames([name]);
    if (typeof expected === "string") expect(found).toBe(expected);
    else expect(found).toMatchObject(expected);
  });

  it.each(["style", "tcdmaster", "hyperrealism", "lightning-bolts", "sdxl_lightning_4step", "calcm"])(
    "not %s",
    (name) => {
      expect(accelerationOfNames([name])).toBeUndefined();
    },
  );

  it("say so in their metadata", () => {
    const metadata = new Map([
      ["ss_output_name", "my_lcm"],
      ["ss_comment", "tcd"],
    ]);
    expect(accelerationOfNames(namesInMetadata(metadata))).toBe("lcm-lora");
    expect(namesInMetadata(new Map([["modelspec.title", "a"]]))).toEqual(["a"]);
    const sum = "ink.safetensors:0.8, lcm-lora.safetensors:1, 3d.safetensors:-1, tcd.safetensors:0";
    expect(namesInMetadata(new Map([["modelspec.merged_from", sum]]))).toEqual([
      "ink.safetensors",
      "lcm-lora.safetensors",
    ]);
  });

  it("decide on the plan where nothing else is wished", () => {
    const hyper = accelerationOfNames(["Hyper-SDXL-8steps-CFG-lora"])!;
    expect(planDrawing({}, hyper)).toEqual({ sampler: "ddim", steps: 8, guidanceScale: 5 });
    expect(planDrawing({ sampler: "euler", guidanceScale: 2 }, hyper)).toEqual({
      sampler: "euler",
      steps: 8,
      guidanceScale: 2,
    });
    const lightning = accelerationOfNames(["sdxl_lightning_2step_lora"])!;
    expect(planWarnings(planDrawing({}, lightning), lightning, "")).toEqual([]);
  });
});

describe("published LCM-LoRAs", () => {
  it("exist for the paper's families", () => {
    expect(modelFamilies.map(({ name }) => [name, publishedLcmLora(name)])).toEqual([
      ["Stable Diffusion 1.5", "latent-consistency/lcm-lora-sdv1-5"],
      ["Stable Diffusion 2.1", undefined],
      ["SSD-1B", "latent-consistency/lcm-lora-ssd-1b"],
      ["Stable Diffusion XL", "latent-consistency/lcm-lora-sdxl"],
    ]);
    expect(publishedLcmLora("constructor")).toBeUndefined();
  });
});
