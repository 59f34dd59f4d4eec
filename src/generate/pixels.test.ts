import { describe, expect, it } from "vitest";
import { float32 } from "../tensor/tensor.ts";
import { toPixels } from "./pixels.ts";

describe("toPixels", () => {
  it("sets the planes side by side and cuts off what lies beyond", () => {
    const picture = float32([3, 1, 2], [-1, 1, 0, -3, 2, 0.5]);
    expect(toPixels(picture)).toEqual({ width: 2, height: 1, data: Uint8Array.of(0, 128, 255, 255, 0, 191) });
  });

  it("refuses what is no picture of three planes", () => {
    expect(() => toPixels(float32([1, 1, 2], [0, 0]))).toThrow("three planes");
  });
});
