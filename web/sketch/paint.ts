import { getStroke } from "perfect-freehand";
import { type Layer, type Mark, paperWidth, type SketchDocument, type Stroke } from "./document.ts";

/** Paints sketches onto canvases of one size. */
export interface Painter {
  /** Paints white paper and what is on it, with a stroke that is still being drawn on the active layer. */
  paint(onto: HTMLCanvasElement, sketch: SketchDocument, live?: Stroke): void;
}

/** Painted layers, so that a new stroke does not paint the old ones again. */
interface PaintedLayer {
  readonly marks: readonly Mark[];
  readonly canvas: HTMLCanvasElement;
}

/** @param bitmapOf the pixels of a placed picture, which must have been read before */
export function createPainter(bitmapOf: (picture: Blob) => ImageBitmap | undefined): Painter {
  const painted = new Map<number, PaintedLayer>();
  const spare = document.createElement("canvas");

  const layerCanvas = (layer: Layer, width: number, height: number): HTMLCanvasElement => {
    const before = painted.get(layer.id);
    const fits = before?.canvas.width === width && before.canvas.height === height;
    const grown = fits && before.marks.every((mark, i) => layer.marks[i] === mark);
    const canvas = grown ? before.canvas : sized(document.createElement("canvas"), width, height);
    for (const mark of layer.marks.slice(grown ? before.marks.length : 0)) paintMark(canvas, mark, bitmapOf);
    painted.set(layer.id, { marks: layer.marks, canvas });
    return canvas;
  };

  return {
    paint(onto, sketch, live) {
      const { width, height } = onto;
      const context = onto.getContext("2d")!;
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, width, height);
      for (const layer of sketch.layers) {
        if (!layer.visible) continue;
        const canvas = layerCanvas(layer, width, height);
        if (live === undefined || layer.id !== sketch.active) {
          context.drawImage(canvas, 0, 0);
          continue;
        }
        sized(spare, width, height).getContext("2d")!.drawImage(canvas, 0, 0);
        paintMark(spare, live, bitmapOf);
        context.drawImage(spare, 0, 0);
      }
      for (const id of painted.keys()) if (!sketch.layers.some((layer) => layer.id === id)) painted.delete(id);
    },
  };
}

/** A canvas of this size, empty. */
function sized(canvas: HTMLCanvasElement, width: number, height: number): HTMLCanvasElement {
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function paintMark(canvas: HTMLCanvasElement, mark: Mark, bitmapOf: (picture: Blob) => ImageBitmap | undefined): void {
  const context = canvas.getContext("2d")!;
  if (mark.kind === "picture") {
    const bitmap = bitmapOf(mark.picture);
    if (bitmap === undefined) return;
    const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
    return;
  }
  context.save();
  context.globalCompositeOperation = mark.erases ? "destination-out" : "source-over";
  context.fillStyle = mark.colour;
  const scale = canvas.width / paperWidth;
  context.scale(scale, scale);
  context.fill(outline(mark));
  context.restore();
}

/** The outline of a stroke as a closed path through the middles of its edges. */
function outline({ points, size, pressed }: Stroke): Path2D {
  const edge = getStroke(points as unknown as number[][], {
    size,
    thinning: pressed ? 0.6 : 0.15,
    smoothing: 0.5,
    streamline: 0.35,
    simulatePressure: !pressed,
    last: true,
  });
  const path = new Path2D();
  if (edge.length === 0) return path;
  path.moveTo(edge[0]![0]!, edge[0]![1]!);
  for (const [i, [x, y]] of edge.entries()) {
    const [nextX, nextY] = edge[(i + 1) % edge.length]!;
    path.quadraticCurveTo(x!, y!, (x! + nextX!) / 2, (y! + nextY!) / 2);
  }
  path.closePath();
  return path;
}
