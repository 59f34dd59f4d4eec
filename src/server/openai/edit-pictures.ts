import sharp from "sharp";
import { Problem } from "../problem.ts";

/** A picture to be edited, and what of it is repainted, as the own API takes them. */
export interface EditedPicture {
  readonly init: string;
  readonly mask?: string;
}

/** Larger pictures are refused before they are decoded. */
const mostPixels = 100_000_000;

/**
 * The pictures of an edit. What is transparent in the mask, or in a picture that comes without one, is repainted; without
 * either the whole picture is drawn anew.
 * @throws Problem `invalid` when one cannot be read
 */
export async function editedPicture(image: Blob, mask: Blob | undefined): Promise<EditedPicture> {
  const picture = Buffer.from(await image.arrayBuffer());
  const own = await transparency("image", picture);
  const marked = mask === undefined ? own : await transparency("mask", Buffer.from(await mask.arrayBuffer()));
  if (mask !== undefined && marked === undefined) {
    throw new Problem("invalid", "The mask has no transparent part, so there is nothing to repaint.", {
      field: "mask",
    });
  }
  const init = picture.toString("base64");
  return marked === undefined ? { init } : { init, mask: marked.toString("base64") };
}

/** A PNG that is white where a picture is transparent; undefined where it is so nowhere. */
async function transparency(field: string, bytes: Buffer): Promise<Buffer | undefined> {
  try {
    const picture = sharp(bytes, { limitInputPixels: mostPixels }).autoOrient();
    const { hasAlpha } = await picture.metadata();
    if (!hasAlpha || (await picture.clone().stats()).isOpaque) return undefined;
    return await picture.extractChannel("alpha").negate().toColourspace("b-w").png().toBuffer();
  } catch (cause) {
    throw new Problem("invalid", `The ${field} cannot be read; send a PNG, JPEG or WebP.`, { field, cause });
  }
}
