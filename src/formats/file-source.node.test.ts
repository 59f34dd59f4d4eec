import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileSource, writeFileAtomically } from "./file-source.node.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("openFileSource", () => {
  it("reads by range", async () => {
    const path = join(folder, "numbers.bin");
    await writeFile(
      path,
      Uint8Array.from({ length: 200 }, (_, i) => i),
    );
    const source = await openFileSource(path);
    expect([source.name, source.size]).toEqual(["numbers.bin", 200]);
    expect([...(await source.read(150, 3))]).toEqual([150, 151, 152]);
    expect((await source.read(200, 0)).length).toBe(0);
    await expect(source.read(199, 2)).rejects.toThrow(
      "numbers.bin: bytes 199 to 201 were asked for, but it ends at 200",
    );
    await source.close();
  });

  it("names a missing file and a folder", async () => {
    await expect(openFileSource(join(folder, "absent"))).rejects.toThrow(
      /absent: the file cannot be opened \(ENOENT\)/,
    );
    await expect(openFileSource(folder)).rejects.toThrow("a file was expected, but this is a folder");
  });
});

describe("writeFileAtomically", () => {
  it("replaces a file and leaves nothing beside it", async () => {
    const path = join(folder, "whole", "..", "out.bin");
    await writeFileAtomically(path, "old");
    await writeFileAtomically(path, Uint8Array.of(1, 2, 3));
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect((await readdir(folder)).filter((name) => name.includes("out.bin"))).toEqual(["out.bin"]);
  });

  it("says which file cannot be written", async () => {
    await expect(writeFileAtomically(join(folder, "absent", "x"), "")).rejects.toThrow(/x: the file cannot be written/);
  });
});
