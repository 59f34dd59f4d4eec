import { describe, expect, it } from "vitest";
import {
  guidanceCoefficients,
  guidanceEmbedding,
  guidanceIsActive,
  guidanceScaleFromPaperOmega,
  paperOmegaFromGuidanceScale,
} from "./guidance.ts";

describe("guidanceCoefficients", () => {
  it("are e_u + g (e_c - e_u)", () => {
    const { conditional, unconditional } = guidanceCoefficients(7.5);
    expect(conditional * 3 + unconditional * 2).toBeCloseTo(2 + 7.5 * (3 - 2), 12);
    expect(guidanceCoefficients(1)).toEqual({ conditional: 1, unconditional: 0 });
  });

  it("are the paper's (1 + omega), -omega", () => {
    const { conditional, unconditional } = guidanceCoefficients(guidanceScaleFromPaperOmega(7.5));
    expect(conditional).toBe(8.5);
    expect(unconditional).toBe(-7.5);
    expect(paperOmegaFromGuidanceScale(8.5)).toBe(7.5);
  });
});

describe("guidanceIsActive", () => {
  it("starts above 1", () => {
    expect([0, 0.5, 1, 1.01, 7.5].map(guidanceIsActive)).toEqual([false, false, false, true, true]);
  });
});

describe("guidanceEmbedding", () => {
  it("has the known numbers for omega 7.5 and width 256", () => {
    const found = guidanceEmbedding(7.5, 256);
    const known: readonly [place: number, value: number][] = [
      [0, -0.851236],
      [1, 0.842228],
      [2, 0.01182],
      [3, 0.992383],
      [128, -0.524783],
      [129, 0.539121],
      [130, -0.99993],
      [255, 0.731689],
    ];
    for (const [place, value] of known) expect(found[place]).toBeCloseTo(value, 5);
  });

  it("pads an odd width with a zero", () => {
    expect([...guidanceEmbedding(2, 7).subarray(0, 6)]).toEqual([...guidanceEmbedding(2, 6)]);
    expect(guidanceEmbedding(2, 7)[6]).toBe(0);
  });
});
