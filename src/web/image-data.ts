import type { Pixels } from "../generate/pixels.ts";

/**
 * A picture's bytes with an opaque alpha, red, green, blue, alpha, row by row, as a canvas takes them:
 * `new ImageData(toRgba(pixels), pixels.width)`.
 */
export function toRgba({ data }: Pixels): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray((data.length / 3) * 4);
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) {
    rgba.set(data.subarray(i, i + 3), o);
    rgba[o + 3] = 255;
  }
  return rgba;
}

/** The other way: a canvas's bytes over white, without alpha. */
export function fromRgba(width: number, height: number, rgba: Uint8ClampedArray): Pixels {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0, o = 0; o < data.length; i += 4, o += 3) {
    const alpha = rgba[i + 3]! / 255;
    for (let c = 0; c < 3; c++) data[o + c] = Math.round(rgba[i + c]! * alpha + 255 * (1 - alpha));
  }
  return { width, height, data };
}
