import sharp from "sharp";
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
  let pixels: Buffer;
  let channels: number;
  try {
    const input = { limitInputPixels: maxPixels, failOn: "warning" } as const;
    const { format, autoOrient } = await sharp(bytes, input).metadata();
    if (format !== "png" && format !== "jpeg" && format !== "webp") throw new Error(`it is of the kind ${format}`);
    const plan = planCrop(autoOrient, size, settings.crop ?? centreCrop);
    const upright = sharp(bytes, input).autoOrient().flatten({ background: "white" }).toColourspace("srgb");
    const resized = upright.resize(plan.resized.width, plan.resized.height, { fit: "fill", kernel: "lanczos3" });
    const cut = resized.extract({ left: plan.left, top: plan.top, ...size });
    const { data, info } = await cut.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    pixels = data;
    channels = info.channels;
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new FormatError(`${name}: this picture cannot be read (${reason}); expected PNG, JPEG or WebP.`, { cause });
  }
  return toPlanes(pixels, channels, size, settings.mirrored ?? false);
}

/** Interleaved bytes to planes from -1 to 1; grey is repeated into three. */
function toPlanes(pixels: Uint8Array, channels: number, size: PictureSize, mirrored: boolean): Tensor<"float32"> {
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
