import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Sharp } from "sharp";
import { UsageError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type PictureSize, planCrop } from "../training/data/crop.ts";
import { decoding, toPlanes, uprightPicture } from "./decode-picture.ts";
import type { PictureFit } from "./picture-fit.ts";

/** A picture that drawing begins with, read and measured. */
export interface GivenPicture {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Its size when upright. */
  readonly own: PictureSize;
}

/** A picture that is in memory, by the name that errors give it. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads a picture's size, of a file by its path or of bytes.
 * @throws UsageError when there is no such file; FormatError when it is no PNG, JPEG or WebP, or damaged
 */
export async function openPicture(given: string | NamedBytes): Promise<GivenPicture> {
  const { name, bytes } = typeof given === "string" ? await readNamed(given) : given;
  return decoding(name, async () => ({ name, bytes, own: (await uprightPicture(bytes, "white")).own }));
}

async function readNamed(path: string): Promise<NamedBytes> {
  try {
    return { name: basename(path), bytes: await readFile(path) };
  } catch (cause) {
    throw new UsageError(`${path}: the picture cannot be opened; check the path.`, { cause });
  }
}

/** The picture at a size, `[3, height, width]` in [-1, 1], alpha laid on white. @throws FormatError when it is damaged */
export function pictureAt({ name, bytes, own }: GivenPicture, size: PictureSize, fit: PictureFit): Promise<Planes> {
  return decoding(name, async () => {
    const { image } = await uprightPicture(bytes, "white");
    const placed = place(image, placement(own, size, fit), size, "lanczos3", "copy");
    const { data, info } = await placed.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return toPlanes(data, info.channels, size, false);
  });
}

/**
 * A mask for a picture at a size, `[1, height, width]`: its brightness from 0 (keep) to 1 (repaint), nothing where it is
 * transparent. It is laid over the picture first, stretched where it has other proportions, and follows it from there; what
 * the picture does not reach is repainted.
 * @param over the picture's own size
 * @throws FormatError when it is damaged
 */
export function maskAt(
  { name, bytes }: GivenPicture,
  over: PictureSize,
  size: PictureSize,
  fit: PictureFit,
): Promise<Planes> {
  return decoding(name, async () => {
    const { image } = await uprightPicture(bytes, "black");
    const placed = place(image, placement(over, size, fit), size, "linear", "white").toColourspace("b-w");
    const { data, info } = await placed.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const mask = Float32Array.from({ length: size.width * size.height }, (_, i) => data[i * info.channels]! / 255);
    return { type: "float32", shape: [1, size.height, size.width], data: mask };
  });
}

type Planes = Tensor<"float32">;

/** A picture is resized, then cut or bordered; negative places are borders. */
interface Placement {
  readonly resized: PictureSize;
  readonly left: number;
  readonly top: number;
}

function placement(own: PictureSize, size: PictureSize, fit: PictureFit): Placement {
  switch (fit) {
    case "crop":
      return planCrop(own, size);
    case "stretch":
      return { resized: size, left: 0, top: 0 };
    case "fill": {
      const factor = Math.min(size.width / own.width, size.height / own.height);
      const width = Math.min(size.width, Math.max(1, Math.round(own.width * factor)));
      const height = Math.min(size.height, Math.max(1, Math.round(own.height * factor)));
      const [left, top] = [Math.floor((size.width - width) / 2), Math.floor((size.height - height) / 2)];
      return { resized: { width, height }, left: -left, top: -top };
    }
  }
}

function place(
  image: Sharp,
  { resized, left, top }: Placement,
  size: PictureSize,
  kernel: "lanczos3" | "linear",
  border: "copy" | "white",
): Sharp {
  const whole = image.resize(resized.width, resized.height, { fit: "fill", kernel });
  if (resized.width >= size.width && resized.height >= size.height) return whole.extract({ left, top, ...size });
  const right = size.width - resized.width + left;
  const bottom = size.height - resized.height + top;
  const edges = { left: -left, top: -top, right, bottom };
  return border === "copy"
    ? whole.extend({ ...edges, extendWith: "copy" })
    : whole.extend({ ...edges, background: "white" });
}
