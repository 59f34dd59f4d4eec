import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { float32 } from "../tensor/tensor.ts";
import { binaryMask, blurredMask, latentMask, maskedMix, pastedPicture } from "./mask.ts";

describe("masks", () => {
  it("are black and white from a half on", () => {
    expect(binaryMask(float32([1, 1, 4], [0, 0.49, 0.5, 1])).data).toEqual(Float32Array.of(0, 0, 1, 1));
  });

  it("repaint a latent where any of its pixels is repainted", () => {
    const mask = float32([1, 4, 4], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(latentMask(mask, [2, 2])).toEqual(float32([1, 1, 2, 2], [0, 1, 0, 0]));
    expect(() => latentMask(mask, [3, 2])).toThrow(ShapeError);
  });

  it("are blurred by a Gaussian that leaves what is far away exactly as it is", () => {
    const edge = float32([1, 1, 12], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    const { data } = blurredMask(edge, 1);
    // A Gaussian of deviation 1 in whole pixels, cut at 3: 0.3990503, 0.2420362, 0.0540056, 0.0044330.
    const expected = [0, 0, 0, 0.004433, 0.058439, 0.300475, 0.699525, 0.941561, 0.995567, 1, 1, 1];
    for (const [i, x] of expected.entries()) expect(data[i]).toBeCloseTo(x, 5);
    expect([data[2], data[9]]).toEqual([0, 1]);
    expect(blurredMask(edge, 0)).toBe(edge);
    const tall = blurredMask({ ...edge, shape: [1, 12, 1] }, 1);
    expect(tall.data).toEqual(data);
  });

  it("paste pixels and mix latents", () => {
    const [inside, outside] = [
      float32([1, 3, 1, 3], [1, 1, 1, 2, 2, 2, 3, 3, 3]),
      float32([1, 3, 1, 3], Array(9).fill(9)),
    ];
    const pasted = pastedPicture(inside, outside, float32([1, 1, 3], [0, 0.5, 1]));
    expect([...pasted.data]).toEqual([9, 5, 1, 9, 5.5, 2, 9, 6, 3]);
    const mixed = maskedMix(inside, outside, float32([1, 1, 1, 3], [0, 1, 1]));
    expect([...mixed.data]).toEqual([9, 1, 1, 9, 2, 2, 9, 3, 3]);
  });
});
