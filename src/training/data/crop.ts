import { UsageError } from "../../errors.ts";

/** Width and height in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** A picture is first resized to `resized`, then cut to the wanted size from (`left`, `top`). */
export interface CropPlan {
  readonly resized: PictureSize;
  readonly left: number;
  readonly top: number;
}

/** Where in the spare length to cut, each from 0 (left, top) to 1 (right, bottom). */
export interface CropPlace {
  readonly across: number;
  readonly down: number;
}

/** The middle of the picture. */
export const centreCrop: CropPlace = { across: 0.5, down: 0.5 };

/**
 * Plans how a picture fills a wanted size: its scarcer side is resized to fit, and the rest is cut off.
 * @throws UsageError when a size is not made of positive whole numbers.
 */
export function planCrop(given: PictureSize, wanted: PictureSize, place: CropPlace = centreCrop): CropPlan {
  for (const { width, height } of [given, wanted]) {
    if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
      throw new UsageError(`a picture of ${width}x${height} pixels cannot be resized; both sides must be at least 1`);
    }
  }
  const factor = Math.max(wanted.width / given.width, wanted.height / given.height);
  // At least the wanted size: rounding must not leave a gap of one pixel.
  const resized = {
    width: Math.max(wanted.width, Math.round(given.width * factor)),
    height: Math.max(wanted.height, Math.round(given.height * factor)),
  };
  return {
    resized,
    left: cutAt(resized.width - wanted.width, place.across),
    top: cutAt(resized.height - wanted.height, place.down),
  };
}

/** One of the `spare` + 1 places, all equally likely for a uniform `share`; 0.5 gives the middle one. */
function cutAt(spare: number, share: number): number {
  return Math.min(spare, Math.floor(share * (spare + 1)));
}
