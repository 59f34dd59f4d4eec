import { describe, expect, it } from "vitest";
import { fromFloat32, toFloat32 } from "./convert.ts";
import { float32, int64, tensor } from "./tensor.ts";

describe("toFloat32", () => {
  it("keeps values and shape from each element type", () => {
    const data = [1, -2, 0, 100];
    const expected = float32([2, 2], data);
    for (const type of ["float64", "float32", "float16", "bfloat16"] as const) {
      expect(toFloat32(fromFloat32(expected, type))).toEqual(expected);
    }
    expect(toFloat32(int64([2, 2], data))).toEqual(expected);
    expect(toFloat32(tensor("int8", [2, 2], Int8Array.from(data)))).toEqual(expected);
    expect(toFloat32(tensor("bool", [2], Uint8Array.of(0, 1)))).toEqual(float32([2], [0, 1]));
  });
});

describe("fromFloat32", () => {
  it("holds 16-bit types as their bits", () => {
    const source = float32([2], [1, -2]);
    expect(fromFloat32(source, "float16")).toEqual(tensor("float16", [2], Uint16Array.of(0x3c00, 0xc000)));
    expect(fromFloat32(source, "bfloat16")).toEqual(tensor("bfloat16", [2], Uint16Array.of(0x3f80, 0xc000)));
  });
});
