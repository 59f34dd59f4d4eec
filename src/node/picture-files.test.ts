import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { readPngText } from "../formats/png-text.ts";
import { encodePng, makePictureFolder, pictureStem, writeNewPicture } from "./picture-files.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-pictures-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("encodePng", () => {
  it("keeps each pixel and the texts", async () => {
    const data = Uint8Array.from({ length: 3 * 5 * 4 }, (_, i) => (37 * i) % 256);
    const png = await encodePng({ width: 5, height: 4, data }, { parameters: "a red apple\nSteps: 4" });
    const read = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(read.info).toMatchObject({ width: 5, height: 4, channels: 3 });
    expect(Uint8Array.from(read.data)).toEqual(data);
    expect((await readPngText(png, "picture")).get("parameters")).toBe("a red apple\nSteps: 4");
  });
});

describe("writeNewPicture", () => {
  it("numbers pictures of one name and overwrites none", async () => {
    await writeFile(join(folder, "apple-7.png"), "mine");
    const first = await writeNewPicture(folder, "apple-7", Uint8Array.of(1));
    const second = await writeNewPicture(folder, "apple-7", Uint8Array.of(2));
    expect([first, second]).toEqual([join(folder, "apple-7-2.png"), join(folder, "apple-7-3.png")]);
    expect(await readFile(join(folder, "apple-7.png"), "utf8")).toBe("mine");
    expect(await readFile(second)).toEqual(Buffer.of(2));
  });

  it("gives each of several writers at once a name of its own, and leaves nothing else behind", async () => {
    const writers = Array.from({ length: 12 }, (_, i) => writeNewPicture(folder, "pear", Uint8Array.of(i)));
    const paths = await Promise.all(writers);
    expect(new Set(paths).size).toBe(12);
    for (const [i, path] of paths.entries()) expect(await readFile(path)).toEqual(Buffer.of(i));
    expect((await readdir(folder)).length).toBe(12);
  });

  it("says when the folder cannot be written", async () => {
    const missing = join(folder, "missing");
    await expect(writeNewPicture(missing, "pear", Uint8Array.of(1))).rejects.toThrow(
      `${missing}: the picture cannot be written (ENOENT); check the folder.`,
    );
    await writeFile(join(folder, "file"), "");
    await expect(makePictureFolder(join(folder, "file", "inner"))).rejects.toThrow(UsageError);
  });
});

describe("pictureStem", () => {
  it.each([
    ["A red apple, on a plate!", 42, "a-red-apple-on-a-plate-42"],
    ["../../etc/passwd", 1, "etc-passwd-1"],
    ["Äpfel & 苹果", 3, "äpfel-苹果-3"],
    ["", 5, "5"],
    ["* / ?", 6, "6"],
    [`${"word ".repeat(20)}`, 7, `${"word-".repeat(9)}7`],
    ["x".repeat(90), 8, `${"x".repeat(48)}-8`],
  ])("of %j and %d is %j", (prompt, seed, stem) => {
    expect(pictureStem(prompt, seed)).toBe(stem);
  });
});
