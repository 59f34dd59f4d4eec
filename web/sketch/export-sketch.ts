import { bitmapOf } from "./bitmaps.ts";
import { paperWidth, type SketchDocument, type Stroke } from "./document.ts";
import { createPainter } from "./paint.ts";

const painter = createPainter(bitmapOf);
const canvas = document.createElement("canvas");

/**
 * The sketch as a PNG.
 * @param ratio height to width
 */
export function exportSketch(sketch: SketchDocument, live: Stroke | undefined, ratio: number): Promise<Blob> {
  canvas.width = paperWidth;
  canvas.height = Math.round(paperWidth * ratio);
  painter.paint(canvas, sketch, live);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (png) => (png === null ? reject(new Error("The sketch gave no picture.")) : resolve(png)),
      "image/png",
    );
  });
}
