import type { MixCoefficients } from "../diffusion/forward.ts";
import { ShapeError, UsageError } from "../errors.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  type BatchNoise,
  type Beginning,
  type DrawingRequest,
  type DrawingStep,
  type DrawnPicture,
  drawInBatches,
} from "./drawing.ts";
import { joinedChannels, repeated } from "./guided-prediction.ts";
import { asBatch, latentSample, pictureLatents, requireOwnChannels } from "./image-to-image.ts";
import { binaryMask, blurredMask, latentMask, maskedMix, pastedPicture } from "./mask.ts";
import type { Model } from "./model.ts";
import type { EncodedPictures, Networks } from "./networks.ts";

type Floats = Tensor<"float32">;

/** Which part of a picture to repaint. */
export interface InpaintingRequest extends DrawingRequest {
  /** `[3, height, width]` in [-1, 1]; the drawn pictures have its size. */
  readonly picture: Floats;
  /** `[1, height, width]`: repaint from 0.5 to 1, keep below. */
  readonly mask: Floats;
  /** How soft the seam is: standard deviation in pixels of a Gaussian on the mask that pastes the kept pixels back. */
  readonly maskBlur: number;
  /** What the sampler was made with; 1 begins with noise alone, in the whole picture. */
  readonly strength: number;
}

/**
 * Repaints what a mask marks and keeps the rest of a picture; yields every step and every picture.
 *
 * An ordinary U-Net is held to the picture outside the mask: after each step the kept latents are set to the picture's, with
 * as much of the starting noise as the next step expects. A U-Net of inpainting (twice the latents' channels and one) sees
 * the mask and the picture without its masked part instead. At the end the kept pixels are pasted back, to the last bit
 * where the blur does not reach. All but this and the way in which a mask is shrunk to latents is as in diffusers'
 * StableDiffusionInpaintPipeline, also the order in which random numbers are drawn.
 * @throws UsageError when size, count, batch or seed cannot be used, or the U-Net's channels fit neither
 * @throws ShapeError when the mask is not as large as the picture
 * @throws RuntimeFailure when the network's output or the picture is not finite
 * @throws DOMException `AbortError` between two network calls, once the signal is aborted
 */
export async function* inpainting(
  networks: Networks,
  model: Model,
  request: InpaintingRequest,
  signal?: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  const { picture, maskBlur } = request;
  const seesMask = isInpaintingModel(model);
  if (!seesMask) requireOwnChannels(model);
  if (!(maskBlur >= 0)) throw new UsageError(`The mask's blur is ${maskBlur} pixels, but it must be at least 0.`);
  const size = pictureLatents(model, picture);
  const mask = maskOf(request);
  const repaint = latentMask(mask, size);
  const seam = blurredMask(mask, maskBlur);
  const begin = seesMask ? beginSeeing : beginHolding;
  const encoded = await networks.encode(asBatch(picture), signal);
  const without = await networks.encode(asBatch(withoutMasked(picture, mask)), signal);
  const parts = { model, request, encoded, without, repaint };
  const way = {
    latentSize: size,
    begin: (noise: BatchNoise, pictures: number) => begin(parts, noise, pictures),
    finish: (pixels: Floats) => pastedPicture(pixels, picture, seam),
  };
  yield* drawInBatches(networks, model, request, way, signal);
}

/** Whether a model's U-Net sees mask and masked picture beside the latents. */
export function isInpaintingModel({ unet, autoencoder }: Pick<Model, "unet" | "autoencoder">): boolean {
  return unet.config.inChannels === 2 * autoencoder.config.latentChannels + 1;
}

interface Parts {
  readonly model: Model;
  readonly request: InpaintingRequest;
  readonly encoded: EncodedPictures;
  /** The picture without what the mask marks. */
  readonly without: EncodedPictures;
  /** Latents to repaint, `[1, 1, h, w]`. */
  readonly repaint: Floats;
}

/** For an ordinary U-Net: the latents outside the mask are set anew before each step. */
function beginHolding(parts: Parts, noise: BatchNoise, pictures: number): Beginning {
  const { model, encoded, without, repaint } = parts;
  const clean = latentSample(model, encoded, noise, pictures);
  const unit = noise();
  // Not used by an ordinary U-Net, but diffusers draws it all the same, and what comes later depends on it.
  latentSample(model, without, noise, pictures);
  return {
    latents: start(parts, clean, unit),
    amend: (latents, _, level) => maskedMix(latents, mixed(level, clean, unit), repaint),
  };
}

/** For a U-Net of inpainting: mask and masked picture are seen in each step. */
function beginSeeing(parts: Parts, noise: BatchNoise, pictures: number): Beginning {
  const { model, request, encoded, without, repaint } = parts;
  const clean = request.strength < 1 ? latentSample(model, encoded, noise, pictures) : undefined;
  const unit = noise();
  const kept = latentSample(model, without, noise, pictures);
  return { latents: start(parts, clean, unit), further: joinedChannels(repeated(repaint, pictures), kept) };
}

function start({ request }: Parts, clean: Floats | undefined, unit: Floats): Floats {
  const { sampler, strength } = request;
  if (clean === undefined || strength === 1) return linearCombination([[sampler.initNoiseSigma, unit]]);
  return mixed(sampler.levelAt(0), clean, unit);
}

function mixed(level: MixCoefficients, clean: Floats, unit: Floats): Floats {
  return linearCombination([
    [level.clean, clean],
    [level.noise, unit],
  ]);
}

function maskOf({ mask, picture }: InpaintingRequest): Floats {
  const [, height, width] = picture.shape;
  const [planes, maskHeight, maskWidth] = mask.shape;
  if (mask.shape.length !== 3 || planes !== 1 || maskHeight !== height || maskWidth !== width) {
    throw new ShapeError("inpainting", `a mask [1, ${height}, ${width}] for the picture`, [mask.shape]);
  }
  return binaryMask(mask);
}

/** Grey, which is 0, where the mask is 1. */
function withoutMasked(picture: Floats, mask: Floats): Floats {
  const area = mask.data.length;
  return { ...picture, data: picture.data.map((x, i) => (mask.data[i % area]! > 0 ? 0 : x)) };
}
