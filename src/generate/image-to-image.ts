import { ShapeError, UsageError } from "../errors.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type BatchNoise, type DrawingRequest, type DrawingStep, type DrawnPicture, drawInBatches } from "./drawing.ts";
import { repeated } from "./guided-prediction.ts";
import type { Model } from "./model.ts";
import type { EncodedPictures, Networks } from "./networks.ts";
import { latentSize } from "./size.ts";

type Floats = Tensor<"float32">;

/** Which pictures to draw; how strongly they differ from the given one lies in the sampler, which was made with a strength. */
export interface ImageToImageRequest extends DrawingRequest {
  /** What to begin with, `[3, height, width]` in [-1, 1]; the drawn pictures have its size. */
  readonly picture: Floats;
}

/**
 * Draws pictures that begin with a given one, encoded and noised to the level of the sampler's first timestep; yields every
 * step and every picture. The latents are a sample of the autoencoder's distribution, drawn before the noise from each
 * picture's generator, as diffusers' StableDiffusionImg2ImgPipeline draws it.
 * @throws UsageError when size, count, batch or seed cannot be used, or the model can only repaint
 * @throws RuntimeFailure when the network's output or the picture is not finite
 * @throws DOMException `AbortError` between two network calls, once the signal is aborted
 */
export async function* imageToImage(
  networks: Networks,
  model: Model,
  request: ImageToImageRequest,
  signal?: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  requireOwnChannels(model);
  const { sampler, picture } = request;
  const size = pictureLatents(model, picture);
  const encoded = await networks.encode(asBatch(picture), signal);
  const way = {
    latentSize: size,
    begin: (noise: BatchNoise, pictures: number) => {
      const clean = latentSample(model, encoded, noise, pictures);
      const level = sampler.levelAt(0);
      return {
        latents: linearCombination([
          [level.clean, clean],
          [level.noise, noise()],
        ]),
      };
    },
  };
  yield* drawInBatches(networks, model, request, way, signal);
}

/**
 * Latents of one encoded picture for a batch, `[pictures, channels, h, w]`: for an autoencoder with a distribution a sample
 * for each, else the same for all.
 */
export function latentSample(
  model: Model,
  { mean, deviation }: EncodedPictures,
  noise: BatchNoise,
  pictures: number,
): Floats {
  if (model.autoencoder.kind === "tiny") return repeated(mean, pictures);
  const unit = noise();
  const [means, deviations] = [repeated(mean, pictures), repeated(deviation, pictures)];
  const data = unit.data.map((z, i) => means.data[i]! + deviations.data[i]! * z);
  return { type: "float32", shape: unit.shape, data };
}

/**
 * The latents' `[h, w]` of a given picture `[3, height, width]`.
 * @throws ShapeError when it has not three planes; UsageError when the model cannot draw its size
 */
export function pictureLatents(model: Model, { shape }: Floats): readonly [number, number] {
  const [planes, height, width] = shape;
  if (shape.length !== 3 || planes !== 3) {
    throw new ShapeError("a picture to begin with", "three planes [3, height, width]", [shape]);
  }
  return latentSize(model, { width: width!, height: height! });
}

/** One picture `[3, height, width]` as a batch of one. */
export function asBatch(picture: Floats): Floats {
  return { ...picture, shape: [1, ...picture.shape] };
}

/** @throws UsageError when the U-Net wants to see more than latents: such models repaint pictures */
export function requireOwnChannels({ name, unet, autoencoder }: Model): void {
  const { inChannels } = unet.config;
  const { latentChannels } = autoencoder.config;
  if (inChannels === latentChannels) return;
  if (inChannels === 2 * latentChannels + 1) {
    throw new UsageError(`${name} repaints parts of pictures; give it a picture and a mask.`);
  }
  throw new UsageError(
    `The U-Net of ${name} takes ${inChannels} channels, but the autoencoder's latents have ${latentChannels}; these do not belong together.`,
  );
}
