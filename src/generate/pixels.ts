import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A picture as bytes, red, green and blue side by side, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** `3 width height` numbers from 0 to 255. */
  readonly data: Uint8Array;
}

/**
 * A picture `[3, height, width]` in [-1, 1] as bytes; what lies beyond is cut off, as diffusers does it.
 * @throws ShapeError when it has not three planes
 */
export function toPixels(picture: Tensor<"float32">): Pixels {
  const [planes, height, width] = picture.shape;
  if (planes !== 3 || height === undefined || width === undefined || picture.shape.length !== 3) {
    throw new ShapeError("toPixels", "three planes [3, height, width]", [picture.shape]);
  }
  const area = height * width;
  const data = new Uint8Array(3 * area);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < area; i++) {
      const share = picture.data[c * area + i]! / 2 + 0.5;
      data[3 * i + c] = Math.round(255 * Math.min(1, Math.max(0, share)));
    }
  }
  return { width, height, data };
}
