import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { float32 } from "../../tensor/tensor.ts";
import { autoencoderConfig } from "./config.ts";
import { decoderLatents, diffusionDeviations, diffusionLatents } from "./latent-scale.ts";

const latents = float32([2, 2, 1, 2], [1, 2, 3, 4, -1, -2, -3, -4]);

describe("the scale of latents", () => {
  it("is the scaling factor alone for Stable Diffusion's autoencoders", () => {
    const config = autoencoderConfig({ scaling_factor: 0.5, latent_channels: 2 });
    expect(diffusionLatents(latents, config)).toEqual(float32([2, 2, 1, 2], [0.5, 1, 1.5, 2, -0.5, -1, -1.5, -2]));
    expect(decoderLatents(latents, config).data).toEqual(Float32Array.of(2, 4, 6, 8, -2, -4, -6, -8));
  });

  it("takes each channel's mean and deviation into account", () => {
    const json = { scaling_factor: 0.5, latent_channels: 2, latents_mean: [1, -1], latents_std: [0.25, 2] };
    const config = autoencoderConfig(json);
    const scaled = diffusionLatents(latents, config);
    expect(scaled.data).toEqual(Float32Array.of(0, 2, 1, 1.25, -4, -6, -0.5, -0.75));
    expect(decoderLatents(scaled, config)).toEqual(latents);
    expect(diffusionDeviations(latents, config).data).toEqual(Float32Array.of(2, 4, 0.75, 1, -2, -4, -0.75, -1));
  });

  it("refuses lists that do not fit the channels", () => {
    const json = { latent_channels: 4, latents_mean: [1], latents_std: [1, 1, 1, 1] };
    expect(() => autoencoderConfig(json)).toThrow(CheckpointError);
    expect(() => autoencoderConfig(json)).toThrow(/have 1 and 4 numbers; each of the 4 latent channels/);
  });
});
