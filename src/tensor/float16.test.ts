import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";

const torch = JSON.parse(readFileSync("test/fixtures/random/float16.json", "utf8")) as {
  readonly float32: readonly number[];
  readonly float16: readonly number[];
  readonly bfloat16: readonly number[];
};
const values = new Float32Array(Int32Array.from(torch.float32).buffer);

/** The value of float16 bits by its definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const everyHalf = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe("float16", () => {
  it("reads all 65,536 bit patterns by the definition", () => {
    const found = float16ToFloat32(everyHalf);
    expect([...everyHalf].filter((bits) => !Object.is(found[bits], halfValue(bits)))).toEqual([]);
  });

  it("writes every half back as it was", () => {
    const back = float32ToFloat16(float16ToFloat32(everyHalf));
    const expected = everyHalf.map((bits) => (Number.isNaN(halfValue(bits)) ? (bits & 0x8000) | 0x7e00 : bits));
    expect(back).toEqual(expected);
  });

  it("rounds as torch does", () => {
    expect([...float32ToFloat16(values)]).toEqual(torch.float16);
  });

  it("rounds to the nearest half, to the even one of two", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65519, max: 65519 }), (x) => {
        const bits = float32ToFloat16(Float32Array.of(x))[0]!;
        const magnitude = bits & 0x7fff;
        const error = Math.abs(halfValue(magnitude) - Math.abs(x));
        const above = magnitude === 0x7bff ? Number.POSITIVE_INFINITY : halfValue(magnitude + 1) - Math.abs(x);
        const below = magnitude === 0 ? Number.POSITIVE_INFINITY : Math.abs(x) - halfValue(magnitude - 1);
        expect(error).toBeLessThanOrEqual(Math.min(Math.abs(above), Math.abs(below)));
        if (error === above || error === below) expect(magnitude & 1).toBe(0);
      }),
      { numRuns: 3000 },
    );
  });

  it("reads and writes parts of a larger buffer", () => {
    const buffer = new Float32Array(8);
    float16ToFloat32(Uint16Array.of(0x3c00, 0xc000), buffer.subarray(3, 5));
    expect([...buffer]).toEqual([0, 0, 0, 1, -2, 0, 0, 0]);
    expect([...float32ToFloat16(buffer.subarray(3, 5))]).toEqual([0x3c00, 0xc000]);
  });
});

describe("bfloat16", () => {
  it("rounds as torch does", () => {
    expect([...float32ToBfloat16(values)]).toEqual(torch.bfloat16);
  });

  it("writes every pattern back as it was", () => {
    const read = bfloat16ToFloat32(everyHalf);
    const back = float32ToBfloat16(read);
    const expected = everyHalf.map((bits) => (Number.isNaN(read[bits]) ? (bits & 0x8000) | 0x7fc0 : bits));
    expect(back).toEqual(expected);
  });
});
