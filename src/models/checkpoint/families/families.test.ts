import { describe, expect, it } from "vitest";
import { elementCount } from "../../../tensor/tensor.ts";
import { clipTextConfig } from "../../clip.ts";
import { autoencoderTable, clipTextTable, type ModelTable, unetTable } from "../../module-table.ts";
import { unetConfig } from "../../unet/config.ts";
import { autoencoderConfig } from "../../vae/config.ts";
import { modelFamilies } from "./index.ts";
import { inpaintingOf, lcmOf } from "./variants.ts";

const sizeOf = ({ parameters }: ModelTable): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

describe("the published families", () => {
  it("have as many parameters as in diffusers and transformers", () => {
    const sizes = modelFamilies.map(({ name, unet, autoencoder, textEncoders }) => [
      name,
      sizeOf(unetTable(unetConfig(unet))),
      sizeOf(autoencoderTable(autoencoderConfig(autoencoder))),
      ...textEncoders.map(({ config }) => sizeOf(clipTextTable(clipTextConfig(config)))),
    ]);
    expect(sizes).toEqual([
      ["Stable Diffusion 1.5", 859_520_964, 83_653_863, 123_060_480],
      ["Stable Diffusion 2.1", 865_910_724, 83_653_863, 340_387_840],
      ["SSD-1B", 1_331_334_404, 83_653_863, 123_060_480, 694_659_840],
      ["Stable Diffusion XL", 2_567_463_684, 83_653_863, 123_060_480, 694_659_840],
    ]);
  });

  it("have variants that differ in their U-Net's inputs", () => {
    const [first] = modelFamilies;
    const width = (json: unknown): number => sizeOf(unetTable(unetConfig(json)));
    // A projection from 256 numbers to the 320 of the timestep's sinusoid; five channels more into 320 windows of 3x3.
    expect(width(lcmOf(first!).unet) - width(first!.unet)).toBe(256 * 320);
    expect(width(inpaintingOf(first!).unet) - width(first!.unet)).toBe(5 * 320 * 9);
    expect(lcmOf(first!).pipeline).toBe("LatentConsistencyModelPipeline");
    expect(inpaintingOf(first!).pipeline).toBe("StableDiffusionInpaintPipeline");
  });
});
