import { infotextKeyword, type Pixels, writePngText } from "../../src/index.ts";
import { fromRgba, toRgba } from "../../src/web/index.ts";

/** Larger pictures to begin with are made smaller by the browser first; models draw far fewer pixels. */
const longestSide = 1024;

/** A picture that the browser knows how to read, as bytes. */
export async function readBlob(blob: Blob): Promise<Pixels> {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, longestSide / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  ];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return fromRgba(width, height, context.getImageData(0, 0, width, height).data);
}

export function imageDataOf(pixels: Pixels): ImageData {
  return new ImageData(toRgba(pixels), pixels.width, pixels.height);
}

/** A PNG file that tells how it was drawn. */
export async function pngOf(pixels: Pixels, settings: string): Promise<Blob> {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext("2d")!.putImageData(imageDataOf(pixels), 0, 0);
  const plain = await canvas.convertToBlob({ type: "image/png" });
  const png = writePngText(new Uint8Array(await plain.arrayBuffer()), { [infotextKeyword]: settings });
  return new Blob([png], { type: "image/png" });
}
