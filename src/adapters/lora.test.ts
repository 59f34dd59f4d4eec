import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AdapterError } from "../errors.ts";
import { fromFloat32 } from "../tensor/convert.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { type LoraModule, loraDelta, loraWeightShape } from "./lora.ts";

/** Numbers with few bits, so that every sum is exact. */
const exact = (length: number): fc.Arbitrary<number[]> =>
  fc.array(
    fc.integer({ min: -64, max: 64 }).map((n) => n / 16),
    { minLength: length, maxLength: length },
  );

const sizes = fc.record({
  rank: fc.integer({ min: 1, max: 19 }),
  out: fc.integer({ min: 1, max: 5 }),
  inner: fc.constantFrom<number[][]>([1], [7], [600], [3, 3, 3], [2, 1, 1]),
});

const modules: fc.Arbitrary<LoraModule> = sizes.chain(({ rank, out, inner }) => {
  const columns = inner.reduce((a, b) => a * b, 1);
  return fc.record({
    path: fc.constant("layer"),
    down: exact(rank * columns).map((data): Tensor => float32([rank, ...inner], data)),
    up: exact(out * rank).map((data): Tensor => float32(inner.length === 1 ? [out, rank] : [out, rank, 1, 1], data)),
    alpha: fc.constantFrom(rank, rank / 2, 2 * rank, -rank),
  });
});

describe("loraDelta", () => {
  it("is alpha over rank times up times down, element by element", () => {
    fc.assert(
      fc.property(modules, (module) => {
        const { down, up, alpha } = module;
        const [rank = 0, ...inner] = down.shape;
        const columns = inner.reduce((a, b) => a * b, 1);
        const expected = Array.from({ length: (up.shape[0] ?? 0) * columns }, (_, index) => {
          const [o, i] = [Math.floor(index / columns), index % columns];
          let sum = 0;
          for (let r = 0; r < rank; r++) sum += Number(up.data[o * rank + r]) * Number(down.data[r * columns + i]);
          return (alpha / rank) * sum + 0;
        });
        const delta = loraDelta(module);
        expect(delta.shape).toEqual([up.shape[0], ...inner]);
        expect(Array.from(delta.data, (x) => x + 0)).toEqual(expected);
      }),
    );
  });

  it("takes float16 parts", () => {
    const down = fromFloat32(float32([1, 2], [1, 0.5]), "float16");
    const up = fromFloat32(float32([2, 1], [3, -2]), "float16");
    expect(loraDelta({ path: "x", down, up, alpha: 2 })).toEqual(float32([2, 2], [6, 3, -4, -2]));
  });
});

describe("loraWeightShape", () => {
  const part = (...shape: number[]): Tensor => float32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
  it.each([
    ["ranks that differ", part(2, 3), part(4, 3)],
    ["a linear down with a convolution's up", part(2, 3), part(4, 2, 1, 1)],
    ["an up with a window", part(2, 3, 3, 3), part(4, 2, 3, 3)],
    ["a rank of zero", part(0, 3), part(4, 0)],
    ["a scalar", part(), part(4, 2)],
  ])("refuses %s", (_, down, up) => {
    const shape = (): unknown => loraWeightShape({ path: "mid.conv1", down, up, alpha: 1 });
    expect(shape).toThrow(AdapterError);
    expect(shape).toThrow(`mid.conv1: its down part [${down.shape.join(", ")}] and up part [${up.shape.join(", ")}]`);
  });
});
