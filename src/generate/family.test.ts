import { describe, expect, it } from "vitest";
import { countLora } from "../adapters/count.ts";
import { targetModules } from "../adapters/targets.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { inpaintingOf, lcmOf } from "../models/checkpoint/families/variants.ts";
import { unetConfig } from "../models/unet/config.ts";
import { familyModules, familyName, familyOf, knownFamilies } from "./family.ts";

describe("families", () => {
  it("have the numbers of parameters of the published LCM-LoRAs", () => {
    const counts = new Map(
      knownFamilies().map((family) => [family.name, countLora(targetModules(familyModules(family)), 64)]),
    );
    expect(counts.get("Stable Diffusion 1.5")).toEqual({ modules: 278, parameters: 67_252_224 });
    expect(counts.get("SSD-1B")).toEqual({ modules: 423, parameters: 104_902_656 });
    expect(counts.get("Stable Diffusion XL")).toEqual({ modules: 788, parameters: 196_751_360 });
  });

  it("are told by widths and depths", () => {
    for (const family of knownFamilies()) expect(familyOf(family.unet)?.name).toBe(family.name);
    const small = unetConfig({ cross_attention_dim: 768, block_out_channels: [32, 64, 64, 64] });
    expect(familyOf(small)).toBeUndefined();
    expect(familyName(small)).toBe("custom");
  });

  it("name their variants", () => {
    for (const family of modelFamilies) {
      expect(familyName(unetConfig(family.unet))).toBe(family.name);
      expect(familyName(unetConfig(lcmOf(family).unet))).toBe(lcmOf(family).name);
      expect(familyName(unetConfig(inpaintingOf(family).unet))).toBe(inpaintingOf(family).name);
    }
  });
});
