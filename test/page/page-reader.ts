import type { Locator, Page } from "playwright-core";
import sharp from "sharp";
import { type Infotext, infotextKeyword, parseInfotext, readPngText } from "../../src/index.ts";

/** The picture that follows the user. */
export const picture = (page: Page): Locator => page.getByRole("figure", { name: "Picture" }).getByRole("img");

/** Waits for a picture that these words describe, as it does to those who do not see it. */
export async function drawn(page: Page, words: RegExp | string): Promise<Locator> {
  const image = page.getByRole("figure", { name: "Picture" }).getByRole("img", { name: words });
  await image.waitFor({ timeout: patience });
  return image;
}

/** Waits until a picture's settings have a value. */
export async function drawnWith(page: Page, holds: (settings: Infotext) => boolean): Promise<Uint8Array> {
  for (;;) {
    const png = await bytesOf(picture(page)).catch(() => undefined);
    if (png !== undefined && holds(await settingsOf(png))) return png;
    await page.waitForTimeout(50);
  }
}

/** Milliseconds; machines that do other things meanwhile are slow. */
export const patience = 120_000;

/** How long a test may take: longer than what it waits for, so that it says what did not come. Milliseconds. */
export const testPatience = 300_000;

/** Draws a picture, so that the engine has started and compiled its networks. */
export async function warmUp(url: string): Promise<void> {
  const body = JSON.stringify({ prompt: "a dog" });
  const response = await fetch(`${url}/api/draw`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  if (!(await response.text()).includes("event: picture")) throw new Error("The server drew no picture.");
}

/** The bytes of the picture that an image shows. */
export async function bytesOf(image: Locator): Promise<Uint8Array> {
  const base64 = await image.evaluate(async (element) => {
    const { src } = element as unknown as { readonly src: string };
    const bytes = new Uint8Array(await (await fetch(src)).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  });
  return Buffer.from(base64, "base64");
}

/** What a picture says of how it was drawn. */
export async function settingsOf(png: Uint8Array): Promise<Infotext> {
  const texts = await readPngText(png, "the picture");
  return parseInfotext(texts.get(infotextKeyword) ?? "");
}

/** A picture's colours without what is written in its file. */
export async function pixelsOf(png: Uint8Array): Promise<Buffer> {
  return sharp(png).removeAlpha().raw().toBuffer();
}

/** How much of the sketch is of a colour, from 0 to 1: a count of its pixels. */
export async function shareOf(page: Page, red: number, green: number, blue: number): Promise<number> {
  const canvas = page.getByRole("application").locator("canvas");
  return canvas.evaluate(
    (element, [red, green, blue]) => {
      const drawn = element as unknown as PaintedElement;
      const { data } = drawn.getContext("2d").getImageData(0, 0, drawn.width, drawn.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        const far = Math.abs(data[i]! - red) + Math.abs(data[i + 1]! - green) + Math.abs(data[i + 2]! - blue);
        if (far < 12) count++;
      }
      return (4 * count) / data.length;
    },
    [red, green, blue] as const,
  );
}

/** A canvas, as far as tests, which know no browser's types, look at it. */
interface PaintedElement {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}

/** Draws a line on the sketch with the mouse; places from 0 to 1. */
export async function drawLine(
  page: Page,
  from: readonly [number, number],
  to: readonly [number, number],
): Promise<void> {
  const box = (await page.getByRole("application").boundingBox())!;
  const at = ([x, y]: readonly [number, number]): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 8 });
  await page.mouse.up();
}

/** Drops a file onto the page, as from the desktop. */
export async function dropFile(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const base64 = Buffer.from(bytes).toString("base64");
  const transfer = await page.evaluateHandle(`(() => {
    const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}, { type: "image/png" }));
    return transfer;
  })()`);
  for (const type of ["dragover", "drop"]) await page.dispatchEvent("main", type, { dataTransfer: transfer });
}
