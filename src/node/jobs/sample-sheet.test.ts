import sharp from "sharp";
import { expect, test } from "vitest";
import { filled } from "../../tensor/tensor.ts";
import { encodeSheet, samplePrompts, spread } from "./sample-sheet.ts";

test("a sheet places its pictures row by row and leaves the rest white", async () => {
  const pictures = [-1, 0, 0.5].map((value) => filled([3, 2, 2], value));
  const { data, info } = await sharp(await encodeSheet(pictures, 2))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([4, 4, 3]);
  const at = (x: number, y: number): number => data[(y * 4 + x) * 3]!;
  expect([at(0, 0), at(1, 1), at(2, 0), at(3, 1), at(0, 2), at(1, 3), at(2, 2), at(3, 3)]).toEqual([
    0, 0, 128, 128, 191, 191, 255, 255,
  ]);
});

test("takes items at even distances, and captions of the set where no prompt is given", () => {
  expect(spread([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4]);
  expect(spread([0, 1], 3)).toEqual([0, 1]);
  const records = [{ subject: "red apple", style: "flat" }, { text: "a house by the sea" }];
  expect(samplePrompts([], records)).toEqual(["a red apple, flat style", "a house by the sea"]);
  expect(samplePrompts([], records, 1)).toEqual(["a red apple, flat style"]);
  expect(samplePrompts(["a fox"], records)).toEqual(["a fox"]);
});
