import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, UsageError } from "../errors.ts";
import { maskAt, openPicture, pictureAt } from "./given-pictures.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-given-"));
  // Four columns, two rows: black, dark, light, white.
  await write("wide.png", [0, 64, 192, 255, 0, 64, 192, 255], 4);
  await write("half.png", [0, 255], 2);
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, grey: readonly number[], width: number): Promise<void> {
  const raw = { width, height: grey.length / width, channels: 1 } as const;
  await sharp(Uint8Array.from(grey), { raw }).png().toFile(join(folder, name));
}

const open = (name: string) => openPicture(join(folder, name));

/** The first plane's first row, as bytes. */
const row = ({ data }: { readonly data: Float32Array }, width: number): number[] =>
  [...data.subarray(0, width)].map((x) => Math.round(127.5 * (x + 1)));

describe("pictures that are given", () => {
  it("are measured, and kept to the byte at their own size", async () => {
    const wide = await open("wide.png");
    expect(wide.own).toEqual({ width: 4, height: 2 });
    const same = await pictureAt(wide, { width: 4, height: 2 }, "crop");
    expect(same.shape).toEqual([3, 2, 4]);
    expect(row(same, 4)).toEqual([0, 64, 192, 255]);
  });

  it("are cut, stretched or fitted in with their border continued", async () => {
    const wide = await open("wide.png");
    expect(row(await pictureAt(wide, { width: 2, height: 2 }, "crop"), 2)).toEqual([64, 192]);
    const stretched = row(await pictureAt(wide, { width: 2, height: 2 }, "stretch"), 2);
    expect(stretched[0]).toBeLessThan(64);
    expect(stretched[1]).toBeGreaterThan(192);
    const filled = await pictureAt(wide, { width: 4, height: 6 }, "fill");
    expect(filled.shape).toEqual([3, 6, 4]);
    for (let y = 0; y < 6; y++) expect(row({ data: filled.data.subarray(4 * y) }, 4)).toEqual([0, 64, 192, 255]);
  });

  it("are covered by a mask, whatever its size, and repainted where they do not reach", async () => {
    const [wide, half] = [await open("wide.png"), await open("half.png")];
    expect([...(await maskAt(half, wide.own, wide.own, "crop")).data].map(Math.round)).toEqual([
      0, 0, 1, 1, 0, 0, 1, 1,
    ]);
    expect([...(await maskAt(half, wide.own, { width: 2, height: 2 }, "crop")).data].map(Math.round)).toEqual([
      0, 1, 0, 1,
    ]);
    const filled = await maskAt(half, wide.own, { width: 4, height: 6 }, "fill");
    expect(filled.shape).toEqual([1, 6, 4]);
    const rows = [0, 1, 2, 3, 4, 5].map((y) => [...filled.data.subarray(4 * y, 4 * y + 4)].map(Math.round));
    expect(rows).toEqual([
      ...Array(2).fill([1, 1, 1, 1]),
      ...Array(2).fill([0, 0, 1, 1]),
      ...Array(2).fill([1, 1, 1, 1]),
    ]);
  });

  it("are named when they cannot be read", async () => {
    await expect(open("none.png")).rejects.toThrow(UsageError);
    await expect(openPicture("package.json")).rejects.toThrow(FormatError);
    await expect(openPicture("package.json")).rejects.toThrow("package.json: this picture cannot be read");
  });
});
