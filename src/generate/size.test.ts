import { describe, expect, it } from "vitest";
import { memoryParameters } from "../models/checkpoint/parameters.ts";
import { unetConfig } from "../models/unet/config.ts";
import { tinyAutoencoderConfig } from "../models/vae/autoencoder-tiny.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import type { Model } from "./model.ts";
import { latentSize, naturalSize, pixelsPerLatent, sizeForPicture, sizeStep } from "./size.ts";

const { source } = memoryParameters(new Map(), "nothing");
const kl: Pick<Model, "autoencoder" | "unet"> = {
  unet: { config: unetConfig({ sample_size: 64 }), source },
  autoencoder: { kind: "kl", config: autoencoderConfig({ block_out_channels: [128, 256, 512, 512] }), source },
};
const tiny: Pick<Model, "autoencoder" | "unet"> = {
  unet: { config: unetConfig({}), source },
  autoencoder: { kind: "tiny", config: tinyAutoencoderConfig({}), source },
};

describe("sizes", () => {
  it("follow Stable Diffusion's own numbers", () => {
    for (const model of [kl, tiny]) {
      expect(pixelsPerLatent(model)).toBe(8);
      expect(naturalSize(model)).toEqual({ width: 512, height: 512 });
      expect(sizeStep(model)).toBe(64);
    }
    expect(latentSize(kl, { width: 768, height: 512 })).toEqual([64, 96]);
  });

  it("are refused with the nearest one that works", () => {
    expect(() => latentSize(kl, { width: 600, height: 20 })).toThrow(
      "The size is 600x20, but this model draws sides that are multiples of 64; try 576x64.",
    );
  });

  it("follow a given picture's proportions", () => {
    expect(sizeForPicture(kl, { width: 768, height: 512 })).toEqual({ width: 768, height: 512 });
    expect(sizeForPicture(kl, { width: 4000, height: 3000 })).toEqual({ width: 576, height: 448 });
    expect(sizeForPicture(kl, { width: 64, height: 64 })).toEqual({ width: 512, height: 512 });
    expect(sizeForPicture(kl, { width: 10, height: 10_000 })).toEqual({ width: 256, height: 1024 });
  });
});
