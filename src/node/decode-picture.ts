import sharp, { type Sharp } from "sharp";
import { FormatError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type CropPlace, centreCrop, type PictureSize, planCrop } from "../training/data/crop.ts";

/** How a picture is brought to the size of training. */
export interface DecodeSettings {
  readonly size: PictureSize;
  /** Where to cut what does not fit; the middle unless told. */
  readonly crop?: CropPlace;
  /** Whether left and right are exchanged; not unless told. */
  readonly mirrored?: boolean;
}

/** Largest picture that is decoded, in pixels: a small file can claim any size. */
const maxPixels = 100_000_000;

/**
 * Decodes a PNG, JPEG or WebP into [3, height, width] float32 from -1 (black) to 1 (white), RGB, alpha laid on white, turned
 * upright as its EXIF data says, resized (Lanczos) and cut to the wanted size.
 * @throws FormatError naming the picture when it is damaged or of another kind.
 */
export async function decodePicture(
  bytes: Uint8Array,
  name: string,
  settings: DecodeSettings,
): Promise<Tensor<"float32">> {
  const { size } = settings;
  return decoding(name, async () => {
    const { image, own } = await uprightPicture(bytes, "white");
    const plan = planCrop(own, size, settings.crop ?? centreCrop);
    const resized = image.resize(plan.resized.width, plan.resized.height, { fit: "fill", kernel: "lanczos3" });
    const cut = resized.extract({ left: plan.left, top: plan.top, ...size });
    const { data, info } = await cut.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return toPlanes(data, info.channels, size, settings.mirrored ?? false);
  });
}

/** A picture turned upright as its EXIF data says, in sRGB, alpha laid on the background; decoded when it is read. */
export interface UprightPicture {
  readonly image: Sharp;
  /** Its size when upright. */
  readonly own: PictureSize;
}

/** Opens a PNG, JPEG or WebP of at most a hundred million pixels. @throws Error when it is of another kind or damaged */
export async function uprightPicture(bytes: Uint8Array, background: "white" | "black"): Promise<UprightPicture> {
  const input = { limitInputPixels: maxPixels, failOn: "warning" } as const;
  const { format, autoOrient } = await sharp(bytes, input).metadata();
  if (format !== "png" && format !== "jpeg" && format !== "webp") throw new Error(`it is of the kind ${format}`);
  return { image: sharp(bytes, input).autoOrient().flatten({ background }).toColourspace("srgb"), own: autoOrient };
}

/** Names the picture in whatever goes wrong with it. @throws FormatError */
export async function decoding<T>(name: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new FormatError(`${name}: this picture cannot be read (${reason}); expected PNG, JPEG or WebP.`, { cause });
  }
}

/** Interleaved bytes to planes from -1 to 1; grey is repeated into three. */
export function toPlanes(
  pixels: Uint8Array,
  channels: number,
  size: PictureSize,
  mirrored: boolean,
): Tensor<"float32"> {
  const { width, height } = size;
  const data = new Float32Array(3 * height * width);
  for (let c = 0; c < 3; c++) {
    const from = channels >= 3 ? c : 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const column = mirrored ? width - 1 - x : x;
        data[(c * height + y) * width + x] = pixels[(y * width + column) * channels + from]! / 127.5 - 1;
      }
    }
  }
  return { type: "float32", shape: [3, height, width], data };
}
