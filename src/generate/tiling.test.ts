import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { filled, float32, type Tensor } from "../tensor/tensor.ts";
import { inTiles } from "./tiling.ts";

/** Each element twice along each side. */
async function doubled({ shape, data }: Tensor<"float32">): Promise<Tensor<"float32">> {
  const [n, c, h, w] = shape as [number, number, number, number];
  const out = filled([n, c, 2 * h, 2 * w]);
  for (let i = 0; i < out.data.length; i++) {
    const [plane, y, x] = [Math.floor(i / (4 * h * w)), Math.floor(i / (2 * w)) % (2 * h), i % (2 * w)];
    out.data[i] = data[(plane * h + (y >> 1)) * w + (x >> 1)]!;
  }
  return out;
}

describe("inTiles", () => {
  it("gives the whole where tiles do not see their borders", async () => {
    for (const [h, w] of [
      [4, 4],
      [5, 9],
      [12, 7],
      [3, 13],
    ]) {
      const input = { ...filled([2, 3, h!, w!]), data: Float32Array.from({ length: 6 * h! * w! }, (_, i) => i) };
      const tiled = await inTiles(input, { tile: 4, overlap: 0.25, factor: 2 }, doubled);
      expect(tiled).toEqual(await doubled(input));
    }
  });

  it("blends neighbours linearly over what they share", async () => {
    // Three tiles of one row: each is its number everywhere. Rows are too few to blend.
    let number = 0;
    const numbered = async ({ shape }: Tensor<"float32">) => filled(shape, number++);
    const tiled = await inTiles(filled([1, 1, 1, 16]), { tile: 8, overlap: 0.5, factor: 1 }, numbered);
    expect([...tiled.data]).toEqual([0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75]);
  });

  it("refuses tiles that come out in another size", async () => {
    const run = async () => float32([1, 1, 1, 1], [0]);
    await expect(inTiles(filled([1, 1, 8, 8]), { tile: 4, overlap: 0.25, factor: 1 }, run)).rejects.toThrow(ShapeError);
  });
});
