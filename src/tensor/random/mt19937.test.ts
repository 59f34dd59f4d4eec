import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { Mt19937 } from "./mt19937.ts";

interface Call {
  readonly kind: "rand" | "randn";
  readonly count: number;
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly sum: number;
  readonly sumOfSquares: number;
}
const fixture = JSON.parse(readFileSync("test/fixtures/random/torch.json", "utf8")) as {
  readonly cases: readonly { readonly seed: number; readonly calls: readonly Call[] }[];
};

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

describe("Mt19937", () => {
  it("gives the published first words of Mersenne Twister with seed 5489", () => {
    const generator = new Mt19937(5489);
    expect([generator.uint32(), generator.uint32(), generator.uint32()]).toEqual([3499211612, 581869302, 3890346734]);
    for (let i = 3; i < 9999; i++) generator.uint32();
    // The C++ standard demands this 10,000th word.
    expect(generator.uint32()).toBe(4123659995);
  });

  for (const { seed, calls } of fixture.cases) {
    it(`follows torch's generator with seed ${seed}: ${calls.map((c) => `${c.kind}(${c.count})`).join(", ")}`, () => {
      const generator = new Mt19937(seed);
      for (const call of calls) {
        const values = call.kind === "rand" ? generator.uniform(call.count) : generator.randn(call.count);
        const tolerance = call.kind === "rand" ? 0 : 1e-6;
        expect(largestDifference(values.slice(0, 40), call.first)).toBeLessThanOrEqual(tolerance);
        expect(largestDifference(values.slice(-40), call.last)).toBeLessThanOrEqual(tolerance);
        expect(values.reduce((sum, x) => sum + x, 0)).toBeCloseTo(call.sum, 3);
        expect(values.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(call.sumOfSquares, 2);
      }
    });
  }

  it("refuses seeds that are not whole numbers from 0", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => new Mt19937(seed)).toThrow(UsageError);
  });
});
