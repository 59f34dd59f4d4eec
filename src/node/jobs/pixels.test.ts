import sharp from "sharp";
import { expect, test } from "vitest";
import { float32 } from "../../tensor/tensor.ts";
import { batchOfMaps, mapsApart, pixelSource } from "./pixels.ts";

test("pictures side by side, and apart again", () => {
  const [a, b] = [float32([2, 1, 2], [1, 2, 3, 4]), float32([2, 1, 2], [5, 6, 7, 8])];
  const maps = batchOfMaps([a, b]);
  expect(maps.shape).toEqual([2, 2, 1, 2]);
  expect([...maps.data]).toEqual([1, 2, 5, 6, 3, 4, 7, 8]);
  expect(mapsApart(maps)).toEqual([a, b]);
});

test("decodes once, and mirrors those that are asked for so", async () => {
  const png = await sharp(Uint8Array.of(255, 0, 0, 0, 0, 255), { raw: { width: 2, height: 1, channels: 3 } })
    .png()
    .toBuffer();
  let reads = 0;
  const read = async (): Promise<Uint8Array> => {
    reads++;
    return png;
  };
  const pixels = pixelSource([{ name: "one.png", text: "one", read }], { width: 2, height: 1 });
  const maps = await pixels([0, 0], [false, true]);
  expect(maps.shape).toEqual([3, 2, 1, 2]);
  expect([...maps.data]).toEqual([1, -1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1]);
  await pixels([0]);
  expect(reads).toBe(1);
});
