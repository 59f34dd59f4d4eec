import { linearCombination } from "../tensor/arithmetic.ts";
import { type BatchNoise, type DrawingRequest, type DrawingStep, type DrawnPicture, drawInBatches } from "./drawing.ts";
import { requireOwnChannels } from "./image-to-image.ts";
import type { Model } from "./model.ts";
import type { Networks } from "./networks.ts";
import { latentSize, type Size } from "./size.ts";

/** Which pictures to draw. */
export interface TextToImageRequest extends DrawingRequest {
  readonly size: Size;
}

/**
 * Draws pictures from a prompt; yields every step and every picture. Each starts from the noise that diffusers starts from
 * with its seed. See `drawInBatches` for seeds and batches.
 * @throws UsageError when size, count, batch or seed cannot be used, or the model can only repaint
 * @throws RuntimeFailure when the network's output or the picture is not finite
 * @throws DOMException `AbortError` between two network calls, once the signal is aborted
 */
export async function* textToImage(
  networks: Networks,
  model: Model,
  request: TextToImageRequest,
  signal?: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  requireOwnChannels(model);
  const { sampler, size } = request;
  const way = {
    latentSize: latentSize(model, size),
    begin: (noise: BatchNoise) => ({ latents: linearCombination([[sampler.initNoiseSigma, noise()]]) }),
  };
  yield* drawInBatches(networks, model, request, way, signal);
}
