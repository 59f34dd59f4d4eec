import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { FormatError } from "../errors.ts";
import { decodePicture } from "./decode-picture.ts";

/** Four pixels in a row: red, green, blue and half transparent black. */
const row: Uint8Array = Uint8Array.from([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 0, 0, 0, 128]);

function rowPng(): Promise<Buffer> {
  return sharp(row, { raw: { width: 4, height: 1, channels: 4 } })
    .png()
    .toBuffer();
}

const rowSize = { width: 4, height: 1 };
const half = 127 / 127.5 - 1;

describe("decodePicture", () => {
  it("gives planes from -1 to 1 with alpha on white", async () => {
    const { shape, data } = await decodePicture(await rowPng(), "row.png", { size: rowSize });
    expect(shape).toEqual([3, 1, 4]);
    const expected = [1, -1, -1, half, -1, 1, -1, half, -1, -1, 1, half];
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 5);
  });

  it("mirrors", async () => {
    const { data } = await decodePicture(await rowPng(), "row.png", { size: rowSize, mirrored: true });
    const expected = [half, -1, -1, 1];
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 5);
  });

  it("cuts the middle, the left and the right", async () => {
    const halves = await sharp({ create: { width: 40, height: 10, channels: 3, background: "black" } })
      .composite([
        {
          input: await sharp({ create: { width: 20, height: 10, channels: 3, background: "white" } })
            .png()
            .toBuffer(),
          left: 20,
          top: 0,
        },
      ])
      .png()
      .toBuffer();
    const size = { width: 10, height: 10 };
    const mean = async (across: number): Promise<number> => {
      const { data } = await decodePicture(halves, "halves.png", { size, crop: { across, down: 0.5 } });
      return data.reduce((sum, value) => sum + value, 0) / data.length;
    };
    expect(await mean(0)).toBeCloseTo(-1, 5);
    expect(await mean(0.5)).toBeCloseTo(0, 5);
    expect(await mean(1)).toBeCloseTo(1, 5);
  });

  it("resizes the shorter side", async () => {
    const flat = await sharp({ create: { width: 300, height: 90, channels: 3, background: "#ff8000" } })
      .png()
      .toBuffer();
    const { shape, data } = await decodePicture(flat, "flat.png", { size: { width: 32, height: 48 } });
    expect(shape).toEqual([3, 48, 32]);
    for (const at of [0, 700, 1535]) {
      expect(data[at]).toBeCloseTo(1, 5);
      expect(data[1536 + at]).toBeCloseTo(128 / 127.5 - 1, 5);
      expect(data[3072 + at]).toBeCloseTo(-1, 5);
    }
  });

  it("reads grey, 16 bits a channel, JPEG and WebP", async () => {
    const size = { width: 8, height: 8 };
    const grey = sharp(new Uint8Array(64).fill(51), { raw: { width: 8, height: 8, channels: 1 } });
    const deep = sharp(new Uint16Array(192).fill(51 * 257), { raw: { width: 8, height: 8, channels: 3 } });
    const files = {
      grey: await grey.clone().toColourspace("b-w").png().toBuffer(),
      deep: await deep.toColourspace("rgb16").png().toBuffer(),
      jpeg: await grey.clone().jpeg({ quality: 100 }).toBuffer(),
      webp: await grey.clone().webp({ lossless: true }).toBuffer(),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const { data } = await decodePicture(bytes, name, { size });
      expect(data.length).toBe(192);
      for (const value of data) expect(Math.abs(value - (51 / 127.5 - 1))).toBeLessThan(0.01);
    }
  });

  it("turns a picture upright as its EXIF data says", async () => {
    const bytes = await sharp(await rowPng())
      .flatten({ background: "white" })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const { shape, data } = await decodePicture(bytes, "turned.png", { size: { width: 1, height: 4 } });
    expect(shape).toEqual([3, 4, 1]);
    expect(data[0]).toBeCloseTo(1, 5);
    expect(data[4 + 1]).toBeCloseTo(1, 5);
  });

  it("names a damaged picture, another kind and an empty file", async () => {
    const big = await sharp({
      create: {
        width: 99,
        height: 99,
        channels: 3,
        background: "red",
        noise: { type: "gaussian", mean: 128, sigma: 30 },
      },
    })
      .png()
      .toBuffer();
    const size = { width: 8, height: 8 };
    const bad = {
      "cut.png": big.subarray(0, big.length / 2),
      "text.png": Buffer.from("not a picture"),
      "empty.png": Buffer.alloc(0),
      "is.gif": await sharp(big).gif().toBuffer(),
      "is.svg": Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    };
    for (const [name, bytes] of Object.entries(bad)) {
      const outcome = decodePicture(bytes, name, { size });
      await expect(outcome).rejects.toThrow(FormatError);
      await expect(outcome).rejects.toThrow(name);
    }
  });
});
