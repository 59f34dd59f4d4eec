import { describe, expect, it } from "vitest";
import { type TestMember, tarBytes } from "../../../test/tar-bytes.ts";
import { FormatError } from "../../errors.ts";
import { bytesSource } from "../../formats/byte-source.ts";
import { listTar } from "./tar.ts";

const longPath = `${"deep/".repeat(50)}picture.png`;

async function contents(members: readonly TestMember[]): Promise<[string, string][]> {
  const bytes = tarBytes(members);
  const listed = await listTar(bytesSource("x.tar", bytes));
  return listed.map(({ name, offset, size }) => [
    name,
    new TextDecoder().decode(bytes.subarray(offset, offset + size)),
  ]);
}

function pax(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = [1, 2, 3, 4].map((digits) => Buffer.byteLength(rest) + digits).find((n, i) => `${n}`.length === i + 1);
  return `${length}${rest}`;
}

describe("listTar", () => {
  it("lists files of any size and passes over folders and links", async () => {
    const members: TestMember[] = [
      { name: "a/", content: "", kind: "5" },
      { name: "a/1.txt", content: "one" },
      { name: "a/link", content: "", kind: "2" },
      { name: "a/empty", content: "" },
      { name: "a/full", content: "x".repeat(512) },
      { name: "a/more", content: "y".repeat(513) },
    ];
    expect(await contents(members)).toEqual([
      ["a/1.txt", "one"],
      ["a/empty", ""],
      ["a/full", "x".repeat(512)],
      ["a/more", "y".repeat(513)],
    ]);
  });

  it("reads long names: ustar's prefix, GNU's and pax's, each for its own member only", async () => {
    const members: TestMember[] = [
      { name: "b.png", content: "1", prefix: "some/where" },
      { name: "././@LongLink", content: `${longPath}\0`, kind: "L" },
      { name: longPath.slice(0, 99), content: "2" },
      { name: "pax", content: pax("path", `ü/${longPath}`) + pax("mtime", "1.5"), kind: "x" },
      { name: "short", content: "3" },
      { name: "global", content: pax("comment", "hello"), kind: "g" },
      { name: "c.png", content: "4" },
    ];
    expect(await contents(members)).toEqual([
      ["some/where/b.png", "1"],
      [longPath, "2"],
      [`ü/${longPath}`, "3"],
      ["c.png", "4"],
    ]);
  });

  it("accepts an archive without its end blocks, and an empty one", async () => {
    const bytes = tarBytes([{ name: "a", content: "b" }]).subarray(0, 1024);
    expect(await listTar(bytesSource("x.tar", bytes))).toEqual([{ name: "a", offset: 512, size: 1 }]);
    expect(await listTar(bytesSource("x.tar", tarBytes([])))).toEqual([]);
  });

  it("refuses a damaged header, a file cut short and something else", async () => {
    const bytes = tarBytes([{ name: "a", content: "x".repeat(600) }]);
    const damaged = bytes.slice();
    damaged[0] = 0x62;
    await expect(listTar(bytesSource("x.tar", damaged))).rejects.toThrow(/sum is wrong/);
    await expect(listTar(bytesSource("x.tar", bytes.subarray(0, 900)))).rejects.toThrow(/cut short/);
    await expect(listTar(bytesSource("x.tar", new Uint8Array(700).fill(7)))).rejects.toThrow(FormatError);
    await expect(listTar(bytesSource("x.tar", new Uint8Array(100).fill(7)))).rejects.toThrow(/cut short/);
  });

  it("refuses a malformed extended header", async () => {
    const members: TestMember[] = [{ name: "pax", content: "99 path=x\n", kind: "x" }];
    await expect(listTar(bytesSource("x.tar", tarBytes(members)))).rejects.toThrow(/extended header/);
  });
});
