import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sparseSource } from "../../test/zip-bytes.ts";
import { FormatError } from "../errors.ts";
import { float32, int64 } from "../tensor/tensor.ts";
import { bytesSource } from "./byte-source.ts";
import { writeFileAtomically } from "./file-source.node.ts";
import { encodeSafetensors, readFloat32, readSafetensorsHeader, readTensor } from "./safetensors.ts";
import { layOut, type PendingTensor, safetensorsPieces } from "./safetensors-layout.ts";

const pending = (name: string, data: Float32Array | BigInt64Array): PendingTensor => ({
  name,
  type: data instanceof Float32Array ? "float32" : "int64",
  shape: [data.length],
  bytes: async () => new Uint8Array(data.buffer),
});
const a = Float32Array.of(1, 2, 3);
const b = BigInt64Array.of(4n, -5n);

describe("safetensorsPieces", () => {
  it("gives the bytes of encodeSafetensors, one tensor at a time", async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of safetensorsPieces([pending("a", a), pending("b", b)], { format: "pt" }))
      pieces.push(piece);
    expect(pieces.length).toBe(3);
    const whole = encodeSafetensors({ a: float32([3], a), b: int64([2], [4, -5]) }, { format: "pt" });
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(whole);
  });

  it("writes a file that is there whole or not at all", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fourstep-"));
    try {
      const path = join(folder, "x.safetensors");
      await writeFileAtomically(path, safetensorsPieces([pending("a", a), pending("b", b)]));
      const source = bytesSource("x", await readFile(path));
      const header = await readSafetensorsHeader(source);
      expect(await readTensor(source, header, "a")).toEqual(float32([3], a));

      const short = { ...pending("b", b), shape: [3] };
      const failed = writeFileAtomically(path, safetensorsPieces([pending("a", Float32Array.of(9)), short]));
      await expect(failed).rejects.toThrow('tensor "b" takes 24 bytes, but 16 were given.');
      await expect(failed).rejects.toBeInstanceOf(FormatError);
      expect(await readFile(path)).toEqual(Buffer.from(await source.read(0, source.size)));
      expect(await readdir(folder)).toEqual(["x.safetensors"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("layOut", () => {
  it("says the size before a byte is written, and refuses names that clash", () => {
    const { head, size, order } = layOut([pending("a", a), pending("b", b)], {});
    expect(size).toBe(head.length + 28);
    expect(order.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(() => layOut([pending("a", a), pending("a", b)], {})).toThrow('two tensors are named "a"; rename one.');
    expect(() => layOut([{ name: "a", type: "float32", shape: [2 ** 40, 2 ** 40] }], {})).toThrow("is too large");
  });
});

describe("a file of 7 GB", () => {
  it("is read by range", async () => {
    const large = { name: "large", type: "float8_e4m3", shape: [7, 1_000_000_000] } as const;
    const { head, size } = layOut([large, { name: "wide", type: "float32", shape: [2] }], {});
    const numbers = new Uint8Array(Float32Array.of(1.5, -2).buffer);
    const source = sparseSource("large", {
      size,
      pieces: [
        [0, head],
        [head.length, numbers],
      ],
    });
    const header = await readSafetensorsHeader(source);
    expect(header.tensors.get("large")?.end).toBe(size);
    expect(await readFloat32(source, header, "wide")).toEqual(float32([2], [1.5, -2]));
    expect(source.bytesRead()).toBeLessThan(1000);
  });
});

describe("types that no tensor holds", () => {
  const file = async (bytes: Uint8Array, type: "uint64" | "uint16"): Promise<Uint8Array> => {
    const pieces: Uint8Array[] = [];
    const tensor = { name: "n", type, shape: [1], bytes: async () => bytes };
    for await (const piece of safetensorsPieces([tensor])) pieces.push(piece);
    return new Uint8Array(Buffer.concat(pieces));
  };

  it("are widened, or refused where they do not fit", async () => {
    const small = bytesSource("small", await file(Uint8Array.of(0xff, 0xff), "uint16"));
    expect((await readTensor(small, await readSafetensorsHeader(small), "n")).data).toEqual(Int32Array.of(65535));
    const huge = bytesSource("huge", await file(new Uint8Array(8).fill(0xff), "uint64"));
    await expect(readTensor(huge, await readSafetensorsHeader(huge), "n")).rejects.toThrow(
      'huge: tensor "n" holds the number 18446744073709551615, above the largest of int64.',
    );
  });
});
