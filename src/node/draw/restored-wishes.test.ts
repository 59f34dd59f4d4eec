import { describe, expect, it } from "vitest";
import { parseInfotext } from "../../formats/infotext.ts";
import { restoredWishes } from "./restored-wishes.ts";

describe("what a picture of AUTOMATIC1111's web interface says", () => {
  const text = [
    "a castle <lora:Ink_v2:0.8>",
    "Negative prompt: blurred",
    'Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 123, Size: 512x768, Model hash: 0123456789, Model: dream, Denoising strength: 0.4, Clip skip: 2, Lora hashes: "Ink_v2: 0123456789ab, lcm: 9876543210FE", Version: v1.10.1',
  ].join("\n");

  it("is read", () => {
    const { warnings, ...read } = restoredWishes(parseInfotext(text));
    expect(read).toEqual({
      prompt: "a castle <lora:Ink_v2:0.8>",
      wishes: {
        negative: "blurred",
        sampler: { name: "dpm-solver++", choices: { levels: "karras" } },
        steps: 20,
        guidance: 6.5,
        seed: 123,
        clipSkip: 2,
        strength: 0.4,
        size: { width: 512, height: 768 },
      },
      loraHashes: new Map([
        ["Ink_v2", "0123456789ab"],
        ["lcm", "9876543210fe"],
      ]),
      model: "dream",
      vae: undefined,
      embeddings: undefined,
      beganWithPicture: true,
    });
    expect(warnings).toEqual(["the picture was drawn by another program, whose noise for a seed may be another one."]);
  });

  it("is left out where it cannot be", () => {
    const strange =
      "a\nSteps: -3, Sampler: Unheard Of, CFG scale: much, Seed: -1, Size: large, Lora hashes: x, Version: fourstep 1";
    expect(restoredWishes(parseInfotext(strange))).toMatchObject({
      wishes: {},
      loraHashes: new Map(),
      warnings: ['the picture\'s sampler "Unheard Of" is not known; another one is used.'],
    });
    expect(restoredWishes(parseInfotext("a prompt alone")).wishes).toEqual({});
  });
});
