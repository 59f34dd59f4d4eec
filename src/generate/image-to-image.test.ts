import { describe, expect, it } from "vitest";
import { smallModel, smallModelOf, smallNetworks } from "../../test/small-drawing.ts";
import { ShapeError, UsageError } from "../errors.ts";
import { memoryParameters } from "../models/checkpoint/parameters.ts";
import { tinyAutoencoderConfig } from "../models/vae/autoencoder-tiny.ts";
import { createSampler } from "../samplers/registry.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { filled } from "../tensor/tensor.ts";
import { encodePrompt } from "./conditioning.ts";
import { type ImageToImageRequest, imageToImage } from "./image-to-image.ts";
import type { Model } from "./model.ts";
import type { Networks, UNetRequest } from "./networks.ts";

const sampler = createSampler("lcm", { config: {}, steps: 4, strength: 0.6 });

async function request(changes: Partial<ImageToImageRequest> = {}): Promise<ImageToImageRequest> {
  const prompt = { prompt: "a red apple", negativePrompt: "", guidanceScale: 1 };
  const conditioning = await encodePrompt(smallNetworks(), smallModel, prompt);
  return { conditioning, sampler, picture: filled([3, 12, 8]), seed: 5, count: 1, ...changes };
}

async function run(wanted: ImageToImageRequest, networks: Networks, model: Model = smallModel): Promise<void> {
  for await (const _ of imageToImage(networks, model, wanted));
}

describe("imageToImage", () => {
  it("begins with a sample of the picture's latents, noised to the first timestep", async () => {
    const asked: UNetRequest[] = [];
    await run(await request(), smallNetworks({ asked, encoded: [0.75, 0.25] }));
    expect(asked.map(({ timesteps }) => timesteps.data[0])).toEqual([599, 459, 299, 159]);
    const generator = new Mt19937(5);
    const [sample, noise] = [generator.randn(48), generator.randn(48)];
    const level = sampler.levelAt(0);
    for (const [i, x] of asked[0]!.latents.data.entries()) {
      expect(x).toBeCloseTo(level.clean * (0.75 + 0.25 * sample[i]!) + level.noise * noise[i]!, 6);
    }
  });

  it("draws no sample where the autoencoder knows no distribution", async () => {
    const { source } = memoryParameters(new Map(), "nothing");
    const config = tinyAutoencoderConfig({
      latent_channels: 2,
      encoder_block_out_channels: [8, 8],
      decoder_block_out_channels: [8, 8],
      num_encoder_blocks: [1, 1],
      num_decoder_blocks: [1, 1],
    });
    const asked: UNetRequest[] = [];
    const tiny: Model = { ...smallModel, autoencoder: { kind: "tiny", config, source } };
    await run(await request(), smallNetworks({ asked, encoded: [0.75, 0] }), tiny);
    const noise = new Mt19937(5).randn(48);
    const level = sampler.levelAt(0);
    for (const [i, x] of asked[0]!.latents.data.entries()) {
      expect(x).toBeCloseTo(level.clean * 0.75 + level.noise * noise[i]!, 6);
    }
  });

  it("refuses what is no picture, sizes that cannot be drawn, and models that repaint", async () => {
    await expect(run(await request({ picture: filled([1, 12, 8]) }), smallNetworks())).rejects.toThrow(ShapeError);
    await expect(run(await request({ picture: filled([3, 13, 8]) }), smallNetworks())).rejects.toThrow(
      "The size is 8x13, but this model draws sides that are multiples of 4; try 8x12.",
    );
    const repainting = run(await request(), smallNetworks(), smallModelOf(5));
    await expect(repainting).rejects.toThrow("small repaints parts of pictures; give it a picture and a mask.");
    const other = run(await request(), smallNetworks(), smallModelOf(3));
    await expect(other).rejects.toThrow(UsageError);
    await expect(other).rejects.toThrow("The U-Net of small takes 3 channels, but the autoencoder's latents have 2");
  });
});
