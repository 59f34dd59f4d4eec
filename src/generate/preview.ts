import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { AutoencoderNetwork } from "./model.ts";

type Floats = Tensor<"float32">;

/**
 * What the clean latents of one picture, `[1, channels, h, w]`, look like: `[3, height, width]`, about [-1, 1], of any size
 * of the same proportions.
 */
export type Preview = (latents: Floats, signal?: AbortSignal) => Promise<Floats>;

/** Red, green and blue of latents, as a linear function of their channels. */
export interface LatentColours {
  /** A row `[red, green, blue]` for each channel. */
  readonly factors: readonly (readonly [number, number, number])[];
  readonly bias: readonly [number, number, number];
}

/**
 * Stable Diffusion 1 and 2. Published in 2022 on the forum of Hugging Face ("Decoding latents to RGB without upscaling") and
 * fitted anew since; the numbers are those that ComfyUI has in latent_formats.py.
 */
const stableDiffusion: LatentColours = {
  factors: [
    [0.3512, 0.2297, 0.3227],
    [0.325, 0.4974, 0.235],
    [-0.2829, 0.1762, 0.2721],
    [-0.212, -0.2616, -0.7177],
  ],
  bias: [0, 0, 0],
};

/** Stable Diffusion XL and SSD-1B; from the same place. */
const stableDiffusionXl: LatentColours = {
  factors: [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
  ],
  bias: [0.1084, -0.0175, -0.0011],
};

/** The colours of an autoencoder's latents where they are known: by the factor that tells the published ones apart. */
export function latentColours({ config }: AutoencoderNetwork): LatentColours | undefined {
  if (config.latentChannels !== 4) return undefined;
  switch (config.scalingFactor) {
    case 0.18215:
      return stableDiffusion;
    case 0.13025:
      return stableDiffusionXl;
    default:
      return undefined;
  }
}

/** A preview of one pixel a latent, without a network. */
export function linearPreview(colours: LatentColours): Preview {
  return async (latents) => approximatePicture(latents, colours);
}

/**
 * Latents `[1, channels, h, w]` as a picture `[3, h, w]`, about [-1, 1].
 * @throws ShapeError when there are more pictures than one, or other channels than the colours know
 */
export function approximatePicture({ shape, data }: Floats, { factors, bias }: LatentColours): Floats {
  const [pictures, channels, height, width] = shape as [number, number, number, number];
  if (pictures !== 1 || channels !== factors.length) {
    throw new ShapeError("approximatePicture", `latents [1, ${factors.length}, h, w]`, [shape]);
  }
  const area = height * width;
  const out = new Float32Array(3 * area);
  for (let colour = 0; colour < 3; colour++) {
    for (let i = 0; i < area; i++) {
      let sum = bias[colour]!;
      for (let c = 0; c < channels; c++) sum += factors[c]![colour]! * data[c * area + i]!;
      out[colour * area + i] = sum;
    }
  }
  return { type: "float32", shape: [3, height, width], data: out };
}
