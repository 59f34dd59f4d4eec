import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type CheckedPicture, checkPictures } from "./check-pictures.ts";
import { encodeWithCache, type LatentRequest } from "./latent-cache.ts";
import { openPictures } from "./open-pictures.ts";

const greys = [0, 51, 102, 204, 255];
let folder = "";
let pictures: readonly CheckedPicture[] = [];
let calls: number[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latents-"));
  calls = [];
  await mkdir(join(folder, "set"));
  for (const grey of greys) {
    const left = { r: grey, g: 0, b: 255 };
    const png = await sharp({ create: { width: 8, height: 4, channels: 3, background: left } })
      .png()
      .toBuffer();
    await writeFile(join(folder, "set", `${grey}.png`), png);
    await writeFile(join(folder, "set", `${grey}.txt`), `grey ${grey}`);
  }
  pictures = (await checkPictures(await openPictures(join(folder, "set")), { width: 4, height: 4 })).entries;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Keeps the first pixel of each picture's three planes: [n, 3, 1, 1]. */
async function encode({ shape, data }: Tensor<"float32">): Promise<Tensor<"float32">> {
  const count = shape[0]!;
  calls.push(count);
  const kept = Float32Array.from({ length: count * 3 }, (_, i) => data[i * shape[2]! * shape[3]!]!);
  return { type: "float32", shape: [count, 3, 1, 1], data: kept };
}

function request(changes: Partial<LatentRequest> = {}): LatentRequest {
  return {
    folder: join(folder, "cache"),
    pictures,
    size: { width: 4, height: 4 },
    mirrored: false,
    autoencoderHash: "one",
    batchSize: 2,
    encode,
    ...changes,
  };
}

describe("encodeWithCache", () => {
  it("encodes once, then reads, in the order of the pictures", async () => {
    const first = await encodeWithCache(request());
    expect([first.encoded, first.shape, calls]).toEqual([5, [3, 1, 1], [2, 2, 1]]);
    const again = await encodeWithCache(request({ pictures: [...pictures].reverse() }));
    expect([again.encoded, again.key, calls.length]).toEqual([0, first.key, 3]);
    const order = pictures.map((picture) => Number.parseInt(picture.name, 10));
    const { shape, data } = first.gather([3, 0]);
    expect(shape).toEqual([2, 3, 1, 1]);
    const red = (at: number): number => order[at]! / 127.5 - 1;
    for (const [i, value] of [red(3), -1, 1, red(0), -1, 1].entries()) expect(data[i]).toBeCloseTo(value, 5);
    expect(again.gather([1, 4]).data).toEqual(first.gather([3, 0]).data);
  });

  it("makes another cache for another autoencoder, size, flip or set", async () => {
    const { key } = await encodeWithCache(request());
    const others: Partial<LatentRequest>[] = [
      { autoencoderHash: "two" },
      { size: { width: 4, height: 2 } },
      { mirrored: true },
      { pictures: pictures.slice(1) },
    ];
    for (const change of others) expect((await encodeWithCache(request(change))).key).not.toBe(key);
    expect((await readdir(join(folder, "cache"))).length).toBe(5);
  });

  it("makes a damaged file anew and leaves no partial one", async () => {
    const { key } = await encodeWithCache(request());
    const place = join(folder, "cache", key.slice(0, 32));
    const path = join(place, "part-00000.safetensors");
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 4));
    expect((await encodeWithCache(request())).encoded).toBe(5);
    expect(await readFile(path)).toEqual(bytes);
    expect(await readdir(place)).toEqual(["part-00000.safetensors"]);
  });

  it("encodes twins once", async () => {
    const twins = await encodeWithCache(request({ pictures: [pictures[0]!, pictures[1]!, pictures[0]!] }));
    expect(twins.encoded).toBe(2);
    expect(twins.gather([2]).data).toEqual(twins.gather([0]).data);
  });

  it("refuses an empty set, a place outside and an encoder that loses pictures", async () => {
    await expect(encodeWithCache(request({ pictures: [] }))).rejects.toThrow(UsageError);
    const set = await encodeWithCache(request());
    expect(() => set.gather([5])).toThrow(/the set has 5/);
    const lossy = async (batch: Tensor<"float32">): Promise<Tensor<"float32">> => {
      const { type, data } = await encode(batch);
      return { type, shape: [1, data.length, 1, 1], data };
    };
    await expect(encodeWithCache(request({ autoencoderHash: "lossy", encode: lossy }))).rejects.toThrow(
      /its batch must/,
    );
  });
});
