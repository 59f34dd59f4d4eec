import { UsageError } from "../errors.ts";
import { centreOf, resizePlanes } from "../evaluation/resize.ts";
import type { Pixels } from "../generate/pixels.ts";
import type { Size } from "../generate/size.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";

/**
 * A picture of any size as the one to begin with: resized to cover the size, bicubic with antialiasing, and what juts out cut
 * off on both sides.
 * @returns `[3, height, width]` in [-1, 1]
 * @throws UsageError when it holds not three bytes for each pixel
 */
export function startPicture({ width, height, data }: Pixels, size: Size): Tensor<"float32"> {
  const area = width * height;
  if (area === 0 || data.length !== 3 * area) {
    throw new UsageError(`A picture of ${width}x${height} takes ${3 * area} bytes, but ${data.length} were given.`);
  }
  const planes = new Float32Array(3 * area);
  for (let c = 0; c < 3; c++) for (let i = 0; i < area; i++) planes[c * area + i] = data[3 * i + c]!;
  const scale = Math.max(size.width / width, size.height / height);
  const [w, h] = [Math.max(size.width, Math.round(width * scale)), Math.max(size.height, Math.round(height * scale))];
  const covering = resizePlanes(float32([3, height, width], planes), h, w, "pillow");
  const centre = centreOf(covering, size.height, size.width);
  return float32(
    centre.shape,
    centre.data.map((x) => x / 127.5 - 1),
  );
}
