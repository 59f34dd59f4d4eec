const bitmaps = new WeakMap<Blob, ImageBitmap>();

/** The pixels of a picture that was read; undefined for others. */
export const bitmapOf = (picture: Blob): ImageBitmap | undefined => bitmaps.get(picture);

/**
 * Reads a picture's pixels, once.
 * @throws DOMException when the browser does not know its format
 */
export async function readBitmap(picture: Blob): Promise<ImageBitmap> {
  const known = bitmaps.get(picture);
  if (known !== undefined) return known;
  const bitmap = await createImageBitmap(picture);
  bitmaps.set(picture, bitmap);
  return bitmap;
}
