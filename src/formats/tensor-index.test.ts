import { describe, expect, it } from "vitest";
import { pickledTensor, pickledText, torchZip } from "../../test/pickle-bytes.ts";
import { FormatError } from "../errors.ts";
import { float32 } from "../tensor/tensor.ts";
import { bytesSource } from "./byte-source.ts";
import { encodeSafetensors } from "./safetensors.ts";
import { readLocated } from "./tensor-file.ts";
import { openTensorIndex, type ShardFolder } from "./tensor-index.ts";

function folderOf(files: Readonly<Record<string, Uint8Array | string>>): ShardFolder {
  const get = (path: string): Uint8Array => new Uint8Array(Buffer.from(files[path]!));
  return {
    name: "model",
    exists: async (path) => Object.hasOwn(files, path),
    readText: async (path) => new TextDecoder().decode(get(path)),
    source: async (path) => bytesSource(path, get(path)),
  };
}

const first = encodeSafetensors({ a: float32([2], [1, 2]) }, { format: "pt" });
const second = encodeSafetensors({ b: float32([1], [3]), extra: float32([1], [4]) });
const index = (map: unknown): string => JSON.stringify({ metadata: { total_size: 12 }, weight_map: map });
const path = "unet/model.safetensors.index.json";
const whole = { a: "model-1.safetensors", b: "model-2.safetensors" };
const shards = { "unet/model-1.safetensors": first, "unet/model-2.safetensors": second };

describe("openTensorIndex", () => {
  it("presents shards as one set, with what the index does not mention", async () => {
    const file = await openTensorIndex(folderOf({ ...shards, [path]: index(whole) }), path);
    expect([file.name, file.format]).toEqual([`model/${path}`, "sharded"]);
    const values = new Map<string, number[]>();
    for (const [name, located] of file.tensors)
      values.set(name, [...((await readLocated(located)).data as Float32Array)]);
    expect(Object.fromEntries(values)).toEqual({ a: [1, 2], b: [3], extra: [4] });
    expect(file.tensors.get("b")?.source.name).toBe("unet/model-2.safetensors");
    expect(file.metadata.get("format")).toBe("pt");
  });

  it("reads shards of pickles beside an index at the top", async () => {
    const shard = torchZip(`}${pickledText("w")}${pickledTensor({ shape: [1], elements: 1 })}s`, {
      0: new Uint8Array(Float32Array.of(7).buffer),
    });
    const files = { "pytorch_model.bin.index.json": index({ w: "pytorch_model-00001-of-00001.bin" }) };
    const folder = folderOf({ ...files, "pytorch_model-00001-of-00001.bin": shard });
    const { tensors } = await openTensorIndex(folder, "pytorch_model.bin.index.json");
    expect(await readLocated(tensors.get("w")!)).toEqual(float32([1], [7]));
  });

  const outside = (file: unknown): string => index({ ...whole, a: file });
  const cases: [string, Record<string, Uint8Array | string>, string][] = [
    [
      "a shard that is missing",
      { [path]: index(whole), "unet/model-1.safetensors": first },
      "model-2.safetensors is missing",
    ],
    [
      "a tensor that its shard lacks",
      { ...shards, [path]: index({ ...whole, c: whole.a }) },
      '"c" is missing from model-1',
    ],
    ["a shard above the folder", { ...shards, [path]: outside("../model-1.safetensors") }, '"../model-1.safetensors"'],
    ["a shard anywhere", { ...shards, [path]: outside("/etc/passwd") }, "must lie in a file beside the index"],
    [
      "a shard on another drive",
      { ...shards, [path]: outside("C:\\x.safetensors") },
      "must lie in a file beside the index",
    ],
    ["the folder above", { ...shards, [path]: outside("..") }, "must lie in a file beside the index"],
    ["a shard that is a number", { ...shards, [path]: outside(1) }, "its file is the number 1"],
    ["no map", { ...shards, [path]: "{}" }, '"weight_map" must be an object, but it is missing'],
    ["a tensor listed twice", { ...shards, [path]: '{"weight_map":{"a":"x","a":"y"}}' }, 'the key "a" stands twice'],
    ["an index that is no JSON", { ...shards, [path]: "<html>" }, "this is not valid JSON"],
    [
      "an unlisted tensor in two shards",
      {
        "unet/model-1.safetensors": encodeSafetensors({ a: float32([1], [1]), extra: float32([1], [1]) }),
        "unet/model-2.safetensors": second,
        [path]: index(whole),
      },
      '"extra" lies in model-2.safetensors and in another file',
    ],
    [
      "a damaged shard",
      { ...shards, "unet/model-2.safetensors": second.slice(0, -1), [path]: index(whole) },
      "it is cut short",
    ],
  ];
  it.each(cases)("refuses %s", async (_, files, sentence) => {
    const refusal = await openTensorIndex(folderOf(files), path).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FormatError);
    expect((refusal as FormatError).message).toContain(sentence);
  });
});
