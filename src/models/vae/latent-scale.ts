import type { Tensor } from "../../tensor/tensor.ts";
import type { AutoencoderConfig } from "./config.ts";

/** A straight line for each latent channel: `factor * x + shift`. */
interface Line {
  readonly factor: number;
  readonly shift: number;
}

/** What leads from the autoencoder's latents to those that diffusion works on. */
export type LatentScale = Pick<AutoencoderConfig, "scalingFactor"> & Partial<Pick<AutoencoderConfig, "statistics">>;

/** `factor * x + shift` of every channel of `[n, channels, h, w]`. */
function alongChannels(latents: Tensor<"float32">, line: (channel: number) => Line): Tensor<"float32"> {
  const [, channels, h, w] = latents.shape as [number, number, number, number];
  const lines = Array.from({ length: channels }, (_, channel) => line(channel));
  const data = latents.data.map((x, i) => {
    const { factor, shift } = lines[Math.floor(i / (h * w)) % channels]!;
    return factor * x + shift;
  });
  return { ...latents, data };
}

/**
 * Latents as diffusion takes them: `scaling_factor (x - mean) / deviation`, `[n, channels, h, w]`; the mean and the
 * deviation are 0 and 1 where `vae/config.json` has none.
 */
export function diffusionLatents(latents: Tensor<"float32">, scale: LatentScale): Tensor<"float32"> {
  return alongChannels(latents, (channel) => {
    const factor = scale.scalingFactor / (scale.statistics?.deviation[channel] ?? 1);
    return { factor, shift: -factor * (scale.statistics?.mean[channel] ?? 0) };
  });
}

/** Deviations of latents as diffusion takes them: as above, without the mean. */
export function diffusionDeviations(deviations: Tensor<"float32">, scale: LatentScale): Tensor<"float32"> {
  return alongChannels(deviations, (channel) => ({
    factor: scale.scalingFactor / (scale.statistics?.deviation[channel] ?? 1),
    shift: 0,
  }));
}

/** Latents as the decoder takes them: the way back of `diffusionLatents`. */
export function decoderLatents(latents: Tensor<"float32">, scale: LatentScale): Tensor<"float32"> {
  return alongChannels(latents, (channel) => ({
    factor: (scale.statistics?.deviation[channel] ?? 1) / scale.scalingFactor,
    shift: scale.statistics?.mean[channel] ?? 0,
  }));
}
