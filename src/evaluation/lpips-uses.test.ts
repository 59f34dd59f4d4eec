import { describe, expect, it } from "vitest";
import { float32, type Tensor } from "../tensor/tensor.ts";
import type { Lpips } from "./lpips.ts";
import { lpipsDiversity, lpipsToCounterparts } from "./lpips-uses.ts";

/** A distance that can be worked out by hand: that of the first numbers. */
const network: Lpips = {
  backbone: "squeeze",
  name: "first numbers",
  distances: async (pairs) => Float64Array.from(pairs, ([a, b]) => Math.abs(a.data[0]! - b.data[0]!)),
  dispose: async () => {},
};
const pictures = (...values: number[]): Tensor<"float32">[] => values.map((x) => float32([3, 1, 1], [x, x, x]));

describe("uses of LPIPS", () => {
  it("pairs each picture with its counterpart, and says which use it is", async () => {
    const found = await lpipsToCounterparts(network, "teacher", pictures(1, 2, 3), pictures(2, 4, 6));
    expect(found).toMatchObject({ use: "teacher", network: "first numbers", pairs: 3, distance: { value: 2 } });
    expect([...found.each]).toEqual([1, 2, 3]);
  });

  it("means all pairs of one caption, then captions", async () => {
    const found = await lpipsDiversity(network, [pictures(0, 1, 3), pictures(5, 5)]);
    expect(found).toMatchObject({ use: "diversity", pairs: 4, distance: { value: 1 } });
    expect([...found.each]).toEqual([2, 0]);
  });

  it("says what does not fit", async () => {
    await expect(lpipsToCounterparts(network, "real", pictures(1, 2), pictures(1))).rejects.toThrow(
      "there are 2 drawn and 1 real pictures",
    );
    await expect(lpipsDiversity(network, [pictures(1)])).rejects.toThrow(
      "each caption needs at least 2, but one has 1",
    );
  });
});
