import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { allFinite, clamp, linearCombination, split, stack } from "./arithmetic.ts";
import { float32 } from "./tensor.ts";

const a = float32([2, 2], [1, 2, 3, 4]);
const b = float32([2, 2], [10, 20, 30, 40]);

describe("linearCombination", () => {
  it("sums coefficient times tensor for one, two and three terms", () => {
    expect(linearCombination([[2, a]])).toEqual(float32([2, 2], [2, 4, 6, 8]));
    expect(
      linearCombination([
        [2, a],
        [-0.5, b],
      ]),
    ).toEqual(float32([2, 2], [-3, -6, -9, -12]));
    expect(
      linearCombination([
        [1, a],
        [1, b],
        [-11, a],
      ]),
    ).toEqual(float32([2, 2], [0, 0, 0, 0]));
  });

  it("refuses no terms and unequal shapes", () => {
    expect(() => linearCombination([])).toThrow(ShapeError);
    const terms = [
      [1, a],
      [1, float32([4], [1, 2, 3, 4])],
    ] as const;
    expect(() => linearCombination(terms)).toThrow("[2, 2] and [4]");
  });
});

describe("clamp", () => {
  it("moves elements into the interval", () => {
    expect(clamp(a, 1.5, 3)).toEqual(float32([2, 2], [1.5, 2, 3, 3]));
  });
});

describe("allFinite", () => {
  it("finds one infinity or NaN", () => {
    expect(allFinite(a)).toBe(true);
    expect(allFinite(float32([2], [0, Number.NaN]))).toBe(false);
    expect(allFinite(float32([2], [Number.NEGATIVE_INFINITY, 0]))).toBe(false);
  });
});

describe("stack and split", () => {
  it("join and cut along the batch", () => {
    const joined = stack([a, b, float32([1, 2], [5, 6])]);
    expect(joined).toEqual(float32([5, 2], [1, 2, 3, 4, 10, 20, 30, 40, 5, 6]));
    expect(split(stack([a, b]), 2)).toEqual([a, b]);
  });

  it("undo each other for any shape", () => {
    const extent = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(fc.array(extent, { minLength: 1, maxLength: 3 }), extent, (shape, count) => {
        const size = shape.reduce((n, m) => n * m, 1);
        const parts = Array.from({ length: count }, (_, p) =>
          float32(
            shape,
            Array.from({ length: size }, (_, i) => p * 100 + i),
          ),
        );
        expect(split(stack(parts), count)).toEqual(parts);
      }),
    );
  });

  it("refuse what does not fit", () => {
    expect(() => stack([])).toThrow(ShapeError);
    expect(() => stack([a, float32([2, 1], [1, 2])])).toThrow("[2, 2] and [2, 1]");
    expect(() => split(a, 3)).toThrow(ShapeError);
  });
});
