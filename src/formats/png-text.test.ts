import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FormatError } from "../errors.ts";
import { readPngText, writePngText } from "./png-text.ts";

const read = (name: string): Uint8Array => readFileSync(`test/fixtures/png/${name}`);
const plain = read("plain.png");

describe("readPngText", () => {
  it("reads tEXt, zTXt and both kinds of iTXt", async () => {
    expect(Object.fromEntries(await readPngText(read("texts.png"), "texts.png"))).toEqual({
      parameters: "a café\nSteps: 4",
      compressed: "again and ".repeat(50),
      unicode: "日本 😀",
      packed: "é🚀".repeat(40),
    });
  });

  it("reads a text after the pixels", async () => {
    expect(await readPngText(read("late.png"), "late.png")).toEqual(new Map([["Comment", "after the pixels"]]));
    expect((await readPngText(plain, "plain.png")).size).toBe(0);
  });

  it("refuses what is no PNG, is cut short or damaged", async () => {
    const texts = Uint8Array.from(read("texts.png"));
    await expect(readPngText(texts.subarray(1), "x.png")).rejects.toThrow("x.png: this is not a PNG file.");
    for (const length of [8, 20, 50, texts.length - 1]) {
      await expect(readPngText(texts.subarray(0, length), "x.png")).rejects.toThrow(`cut short at byte ${length}`);
    }
    texts[50] = texts[50]! ^ 1;
    await expect(readPngText(texts, "x.png")).rejects.toThrow(FormatError);
  });
});

describe("writePngText", () => {
  const texts = { parameters: "a fox\nSteps: 4, Size: 64x64", note: "狐 🦊" };

  it("writes the file that Pillow was shown to read", () => {
    const written = writePngText(plain, texts);
    const { WRITE_FIXTURES } = process.env;
    if (WRITE_FIXTURES === "1") writeFileSync("test/fixtures/png/written-by-us.png", written);
    expect(Buffer.from(written)).toEqual(read("written-by-us.png"));
  });

  it("replaces texts of the same keyword, before or after the pixels, and keeps others", async () => {
    const once = writePngText(read("late.png"), texts);
    const twice = writePngText(once, { parameters: "new", Comment: "moved" });
    expect(Object.fromEntries(await readPngText(twice, "x"))).toEqual({
      parameters: "new",
      Comment: "moved",
      note: texts.note,
    });
    expect(Buffer.from(twice).toString("latin1").split("parameters").length).toBe(2);
  });

  it("refuses keywords and texts that PNG forbids", () => {
    expect(() => writePngText(plain, { "": "x" })).toThrow("1 to 79 printable Latin-1");
    expect(() => writePngText(plain, { キ: "x" })).toThrow("1 to 79 printable Latin-1");
    expect(() => writePngText(plain, { a: "x\0y" })).toThrow('the text of "a" holds a zero character');
  });
});
