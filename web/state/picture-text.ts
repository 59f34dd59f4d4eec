import { infotextKeyword, readPngText, writePngText } from "../../src/index.ts";
import { fromDataUrl, toDataUrl } from "../http/base64.ts";

/** Under this keyword a picture holds the sketch that it began with, as a data URL. */
const sketchKeyword = "fourstep-sketch";

/** The picture with the sketch in it that it began with. */
export async function withSketch(png: Blob, sketch: Blob): Promise<Blob> {
  const bytes = new Uint8Array(await png.arrayBuffer());
  return new Blob([writePngText(bytes, { [sketchKeyword]: await toDataUrl(sketch) })], { type: "image/png" });
}

/** What a picture says of itself. */
export interface PictureText {
  /** Its settings, as image programs write them; undefined where it holds none. */
  readonly settings: string | undefined;
  /** The sketch that it began with, if it did and holds it. */
  readonly sketch: Blob | undefined;
}

/** Reads a picture's texts; one that is no PNG, or a damaged one, says nothing. */
export async function pictureText(picture: Blob): Promise<PictureText> {
  try {
    const texts = await readPngText(new Uint8Array(await picture.arrayBuffer()), "the picture");
    const sketch = texts.get(sketchKeyword);
    return {
      settings: texts.get(infotextKeyword),
      sketch: sketch?.startsWith("data:image/png;base64,") ? fromDataUrl(sketch) : undefined,
    };
  } catch {
    return { settings: undefined, sketch: undefined };
  }
}
