import { describe, expect, it } from "vitest";
import { sparseSource, sparseZip, type TestFile, zipBytes } from "../../test/zip-bytes.ts";
import { FormatError } from "../errors.ts";
import { bytesSource } from "./byte-source.ts";
import { readZipDirectory } from "./zip-directory.ts";

const files: readonly TestFile[] = [
  { name: "a/one", content: "first" },
  { name: "a/ünï", content: "second!" },
  { name: "empty", content: "" },
];
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("readZipDirectory", () => {
  it.each([false, true])("locates each file (64-bit sizes: %s)", async (wide) => {
    const bytes = zipBytes(files, wide);
    const entries = await readZipDirectory(bytesSource("x.zip", bytes));
    const contents = [...entries.values()].map(({ name, begin, end }) => [name, text(bytes.subarray(begin, end))]);
    expect(contents).toEqual(files.map(({ name, content }) => [name, content]));
  });

  it("finds its end before a comment", async () => {
    const bytes = zipBytes(files);
    const commented = Buffer.concat([bytes, Buffer.from("PK\x05\x06 a comment")]);
    commented.writeUInt16LE(14, bytes.length - 2);
    expect((await readZipDirectory(bytesSource("x.zip", commented))).size).toBe(3);
  });

  it("reads little of an archive of 7 GB", async () => {
    const large = sparseZip([{ name: "large", content: "", length: 7e9 }, ...files], true);
    const source = sparseSource("large.zip", large);
    const entries = await readZipDirectory(source);
    expect(entries.get("a/one")?.begin).toBeGreaterThan(7e9);
    expect(source.bytesRead()).toBeLessThan(100_000);
  });
});

describe("readZipDirectory refuses", () => {
  const [first, ...others] = files as [TestFile, ...TestFile[]];
  const cases: [string, Uint8Array, string][] = [
    ["a file cut short", zipBytes(files).slice(0, -30), "it is cut short"],
    ["a file of zeros", new Uint8Array(100), "it is cut short"],
    ["a count that its directory cannot hold", zipBytes(files, false, 5000), "cannot list 5000 files"],
    ["a count of more than its directory lists", zipBytes(files, true, 4), "the zip archive's directory is damaged"],
    ["an absurd 64-bit count", zipBytes(files, true, 2 ** 52), "cannot list 4503599627370496 files"],
    ["a compressed file", zipBytes([{ ...first, method: 8 }, ...others]), '"a/one" of the archive is compressed'],
    ["an encrypted file", zipBytes([{ ...first, flags: 1 }, ...others]), '"a/one" of the archive is encrypted'],
    [
      "a size that overlaps the next",
      zipBytes([{ ...first, claimedSize: 6 }, ...others]),
      "takes 6 bytes and overlaps",
    ],
    ["an absurd size", zipBytes([{ ...first, claimedSize: 2 ** 52 }], true), "overlaps what follows"],
    [
      "a place within another file",
      zipBytes([first, { ...others[0]!, claimedOffset: 3 }]),
      "begins within what follows",
    ],
    ["a place past the end", zipBytes([{ ...first, claimedOffset: 2 ** 31 }]), "begins within what follows"],
    [
      "a place that holds no file",
      zipBytes([{ ...first, claimedOffset: 1 }]),
      "does not begin where its directory says",
    ],
    ["two files of one name", zipBytes([first, first]), 'the archive holds "a/one" twice'],
    [
      "two names for one place",
      zipBytes([first, { ...first, name: "b/one", claimedOffset: 0 }]),
      "begins within what follows",
    ],
  ];
  it.each(cases)("%s", async (_, bytes, sentence) => {
    const refusal = await readZipDirectory(bytesSource("hostile.pt", bytes)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FormatError);
    expect((refusal as FormatError).message).toContain(sentence);
    expect((refusal as FormatError).message).toMatch(/^hostile\.pt: [^\n]*\.$/);
  });

  it("an archive that misplaces its directory", async () => {
    const bytes = zipBytes(files);
    new DataView(bytes.buffer).setUint32(bytes.length - 6, bytes.length, true);
    await expect(readZipDirectory(bytesSource("x.pt", bytes))).rejects.toThrow(
      "the zip archive's directory is damaged",
    );
  });
});
