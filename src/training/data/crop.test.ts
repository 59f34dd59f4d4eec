import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { planCrop } from "./crop.ts";

const square = { width: 64, height: 64 };

describe("planCrop", () => {
  it("fits the shorter side and cuts the middle of the longer", () => {
    expect(planCrop({ width: 200, height: 100 }, square)).toEqual({
      resized: { width: 128, height: 64 },
      left: 32,
      top: 0,
    });
    expect(planCrop({ width: 30, height: 60 }, square)).toEqual({
      resized: { width: 64, height: 128 },
      left: 0,
      top: 32,
    });
  });

  it("reaches both ends", () => {
    const wide = { width: 200, height: 100 };
    expect(planCrop(wide, square, { across: 0, down: 0 }).left).toBe(0);
    expect(planCrop(wide, square, { across: 0.9999, down: 0 }).left).toBe(64);
    expect(planCrop(wide, square, { across: 1, down: 1 })).toMatchObject({ left: 64, top: 0 });
  });

  it("never falls short of the wanted size, whatever the rounding", () => {
    for (let width = 1; width < 120; width += 7) {
      for (let height = 1; height < 120; height += 5) {
        const { resized, left, top } = planCrop({ width, height }, { width: 48, height: 33 });
        expect(resized.width - left).toBeGreaterThanOrEqual(48);
        expect(resized.height - top).toBeGreaterThanOrEqual(33);
        expect(resized.width === 48 || resized.height === 33).toBe(true);
      }
    }
  });

  it("refuses a side of zero", () => {
    expect(() => planCrop({ width: 0, height: 5 }, square)).toThrow(UsageError);
  });
});
