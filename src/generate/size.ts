import { UsageError } from "../errors.ts";
import { downscale } from "../models/vae/config.ts";
import type { Model } from "./model.ts";

/** Width and height of a picture, in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Latents of Stable Diffusion's own pictures, for models that do not say. */
const usualSampleSize = 64;

/** Pixels per latent, along each side. */
export function pixelsPerLatent({ autoencoder }: Pick<Model, "autoencoder">): number {
  return autoencoder.kind === "kl" ? downscale(autoencoder.config) : 2 ** (autoencoder.config.decoder.length - 1);
}

/** The size that a model was trained on. */
export function naturalSize(model: Pick<Model, "autoencoder" | "unet">): Size {
  const side = (model.unet.config.sampleSize ?? usualSampleSize) * pixelsPerLatent(model);
  return { width: side, height: side };
}

/** A picture may have up to this many times the pixels that a model was trained on, or as many times fewer. */
const tolerance = 1.5;

/** Sides are at most this many times as long as those that a model was trained on. */
const mostStretch = 2;

/**
 * The size to draw a given picture anew in: its own where the model draws it and was trained on about as many pixels, else
 * about its proportions with as many pixels as the model was trained on.
 */
export function sizeForPicture(model: Pick<Model, "autoencoder" | "unet">, own: Size): Size {
  const natural = naturalSize(model);
  const step = sizeStep(model);
  const share = (own.width * own.height) / (natural.width * natural.height);
  const drawable = own.width % step === 0 && own.height % step === 0;
  if (drawable && share <= tolerance && share >= 1 / tolerance) return own;
  const stretch = Math.min(mostStretch, Math.max(1 / mostStretch, Math.sqrt(own.width / own.height)));
  return { width: nearest(natural.width * stretch, step), height: nearest(natural.height / stretch, step) };
}

/** What sides must be multiples of, in pixels: so that each level of the U-Net can halve them. */
export function sizeStep(model: Pick<Model, "autoencoder" | "unet">): number {
  return pixelsPerLatent(model) * 2 ** (model.unet.config.down.length - 1);
}

/**
 * The latents' `[h, w]` for a picture's size.
 * @throws UsageError when a side is no multiple that the model can draw
 */
export function latentSize(
  model: Pick<Model, "autoencoder" | "unet">,
  { width, height }: Size,
): readonly [number, number] {
  const step = sizeStep(model);
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < step || side % step !== 0) {
      throw new UsageError(
        `The size is ${width}x${height}, but this model draws sides that are multiples of ${step}; try ${nearest(width, step)}x${nearest(height, step)}.`,
      );
    }
  }
  return [height / pixelsPerLatent(model), width / pixelsPerLatent(model)];
}

function nearest(side: number, step: number): number {
  return Math.max(step, Math.round(side / step) * step);
}
