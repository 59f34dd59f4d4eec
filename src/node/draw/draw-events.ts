import type { DrawingRequest, DrawingStep, DrawnPicture } from "../../generate/drawing.ts";
import { imageToImage } from "../../generate/image-to-image.ts";
import { inpainting } from "../../generate/inpainting.ts";
import type { Model } from "../../generate/model.ts";
import type { Networks } from "../../generate/networks.ts";
import type { Size } from "../../generate/size.ts";
import { textToImage } from "../../generate/text-to-image.ts";
import type { GivenStart } from "./given-start.ts";

/** Draws in the way that fits what was given: a picture, a picture with a mask, or words alone. */
export function drawEvents(
  networks: Networks,
  model: Model,
  request: DrawingRequest & { readonly size: Size },
  start: GivenStart | undefined,
  signal: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  if (start === undefined) return textToImage(networks, model, request, signal);
  const { picture, repaint, strength } = start;
  if (repaint === undefined) return imageToImage(networks, model, { ...request, picture }, signal);
  const { mask, blur } = repaint;
  return inpainting(networks, model, { ...request, picture, mask, maskBlur: blur, strength }, signal);
}
