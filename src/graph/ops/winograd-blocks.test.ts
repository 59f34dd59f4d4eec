import { afterAll, describe, expect, it } from "vitest";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import { counterNormal } from "../../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../../tensor/tensor.ts";
import { encode } from "../encode.ts";
import { apply1 } from "../operation.ts";
import { operationsInOrder } from "../order.ts";
import { input } from "../value.ts";
import { conv2d, conv2dOperation } from "./convolution.ts";
import { blockFiltering, winogradBlocks } from "./winograd-blocks.ts";
import { type Filtering, fourByFour, twoByTwo } from "./winograd-transforms.ts";

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const normal = (name: string, shape: readonly number[]): Tensor<"float32"> =>
  float32(shape, counterNormal(3, name, 0, elementCount(shape)));

/** The largest difference from the runtime's own convolution, over that one's largest value. */
async function difference(
  filtering: Filtering,
  batch: number,
  height: number,
  width: number,
  bias = true,
): Promise<number> {
  const shapes = { x: [5, batch, height, width], w: [6, 5, 3, 3], b: [6] } as const;
  const [x, w, b] = [input("x", shapes.x), input("w", shapes.w), bias ? input("b", shapes.b) : undefined];
  const direct = apply1(conv2dOperation, b === undefined ? [x, w] : [x, w, b], {
    stride: 1,
    pads: [1, 1, 1, 1],
    groups: 1,
  });
  const session = await runtime.compile(encode({ direct, blocks: winogradBlocks(filtering, x, w, b) }));
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normal(name, shape)]));
  const results = await session.run(feeds);
  await session.dispose();
  const [expected, actual] = ["direct", "blocks"].map((name) => results[name]!.data as Float32Array);
  expect(results["blocks"]!.shape).toEqual([6, batch, height, width]);
  const largest = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected!.reduce((most, value, i) => Math.max(most, Math.abs(value - actual![i]!)), 0) / largest;
}

describe("winogradBlocks", () => {
  it.each([
    ["a block", 1, 16, 16],
    ["an oblong block of a batch", 2, 12, 64],
    ["sides that are no multiples of a tile", 1, 13, 18],
    ["several blocks, the last ones smaller", 1, 131, 70],
    ["several blocks of a batch", 2, 68, 128],
  ])("computes a 3x3 convolution: %s", async (_, batch, height, width) => {
    expect(await difference(fourByFour, batch, height, width)).toBeLessThan(1e-5);
    expect(await difference(twoByTwo, batch, height, width)).toBeLessThan(2e-6);
  });

  it("computes one without a bias", async () => {
    expect(await difference(fourByFour, 1, 20, 20, false)).toBeLessThan(1e-5);
  });

  it("is taken for many channels on large planes alone", () => {
    const filtering = (channels: number, out: number, batch: number, side: number): Filtering | undefined =>
      blockFiltering(input("x", [channels, batch, side, side]), input("w", [out, channels, 3, 3]));
    expect(filtering(320, 320, 1, 64)).toBe(fourByFour);
    expect(filtering(1280, 1280, 4, 16)).toBe(fourByFour);
    expect(filtering(1280, 1280, 1, 16)).toBe(twoByTwo);
    expect(filtering(1280, 1280, 1, 8)).toBeUndefined();
    expect(filtering(128, 128, 1, 512)).toBeUndefined();
    expect(filtering(4, 320, 1, 64)).toBeUndefined();
    const kinds = (side: number): ReadonlySet<string> =>
      new Set(
        operationsInOrder([
          conv2d(input("x", [256, 1, side, side]), input("w", [256, 256, 3, 3]), undefined, { padding: 1 }),
        ]).map(({ kind }) => kind),
      );
    expect(kinds(32)).not.toContain("conv2d");
    expect(kinds(8)).toContain("conv2d");
  });
});
