import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { pictureHandler } from "../../examples/express-handler.ts";
import { pictureServer } from "../../examples/hono-handler.ts";
import { mixLoras } from "../../examples/mix-loras.ts";
import { textToPicture } from "../../examples/text-to-picture.ts";

const patience = 400_000;
const raw = async (png: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await sharp(png).removeAlpha().raw().toBuffer());
const mean = (values: Uint8Array): number => values.reduce((a, b) => a + b, 0) / values.length;
const apart = (a: Uint8Array, b: Uint8Array): number => mean(a.map((x, i) => Math.abs(x - b[i]!)));

describe("the examples that draw", () => {
  it(
    "draw a picture from a text, and serve it through Hono and Express",
    async () => {
      const png = await textToPicture("a red apple", 3);
      const pixels = await raw(png);
      expect(pixels).toHaveLength(64 * 64 * 3);
      // An apple, red on white: its middle is red.
      const middle = pixels.subarray(3 * (36 * 64 + 32), 3 * (36 * 64 + 33));
      expect(middle[0]!).toBeGreaterThan(middle[1]! + 60);

      const app = pictureServer(textToPicture);
      const served = await app.request("/picture?prompt=a+red+apple&seed=3");
      expect(served.headers.get("content-type")).toBe("image/png");
      expect(await raw(new Uint8Array(await served.arrayBuffer()))).toEqual(pixels);
      expect((await app.request("/picture?prompt=a&seed=-1")).status).toBe(400);

      const server = createServer(pictureHandler(textToPicture)).listen(0);
      try {
        const url = `http://localhost:${(server.address() as AddressInfo).port}/picture`;
        expect((await fetch(url)).status).toBe(400);
        const second = await fetch(`${url}?prompt=a+red+apple&seed=3`);
        expect(await raw(new Uint8Array(await second.arrayBuffer()))).toEqual(pixels);
      } finally {
        server.close();
      }
    },
    patience,
  );

  it(
    "mix LoRAs: more of a style goes further from the base",
    async () => {
      const [base, some, all] = await Promise.all((await mixLoras("a red apple", "style-3d", [0, 0.4, 0.8])).map(raw));
      expect(apart(base!, some!)).toBeGreaterThan(0.5);
      expect(apart(base!, all!)).toBeGreaterThan(apart(base!, some!));
    },
    patience,
  );
});
