import { describe, expect, it } from "vitest";
import { countLora } from "../adapters/count.ts";
import { targetModules } from "../adapters/targets.ts";
import { unetConfig } from "../models/unet/config.ts";
import { familyModules, familyOf, knownFamilies } from "./family.ts";

describe("families", () => {
  it("have the numbers of parameters of the published LCM-LoRAs", () => {
    const counts = new Map(
      knownFamilies().map((family) => [family.name, countLora(targetModules(familyModules(family)), 64)]),
    );
    expect(counts.get("Stable Diffusion 1")).toEqual({ modules: 278, parameters: 67_252_224 });
    expect(counts.get("Stable Diffusion XL")).toEqual({ modules: 788, parameters: 196_751_360 });
  });

  it("are told by widths and depths", () => {
    for (const family of knownFamilies()) expect(familyOf(family.unet)?.name).toBe(family.name);
    expect(familyOf(unetConfig({ cross_attention_dim: 768, block_out_channels: [32, 64, 64, 64] }))).toBeUndefined();
  });
});
