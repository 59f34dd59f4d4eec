import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { Philox, philox4x32 } from "./philox.ts";

describe("philox4x32", () => {
  // Known answers of the Random123 distribution for ten rounds.
  const answers: readonly [counter: number[], key: [number, number], words: number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, [low, high], words] of answers) {
    it(`gives the known answer for the counter ${counter.map((c) => c.toString(16)).join(" ")}`, () => {
      const out = new Uint32Array(4);
      philox4x32(Uint32Array.from(counter), low, high, out);
      expect([...out]).toEqual(words);
    });
  }
});

describe("Philox", () => {
  it("follows torch's CUDA generator with seed 0", () => {
    const expected = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709, -1.07454231,
      -0.36314407, -1.67105067, 2.26550497,
    ];
    const values = new Philox(0).randn(12);
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
  });

  it("goes on in its stream, so that a second call differs from the first", () => {
    const generator = new Philox(3);
    const first = generator.randn(8);
    const second = generator.randn(8);
    expect([...new Philox(3).randn(8)]).toEqual([...first]);
    expect(second.some((x, i) => x === first[i])).toBe(false);
  });

  it("depends on the upper half of the seed too", () => {
    expect([...new Philox(1).randn(4)]).not.toEqual([...new Philox(2 ** 32 + 1).randn(4)]);
    expect(() => new Philox(-1)).toThrow(UsageError);
  });
});
