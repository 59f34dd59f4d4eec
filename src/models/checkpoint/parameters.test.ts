import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { type ByteSource, bytesSource } from "../../formats/byte-source.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { encode } from "../../graph/encode.ts";
import { scale } from "../../graph/ops/arithmetic.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import { float32ToFloat16 } from "../../tensor/float16.ts";
import { float32, type Tensor } from "../../tensor/tensor.ts";
import type { FolderReader } from "./folder-reader.ts";
import { inPlaceParameters, loadWeights, memoryParameters } from "./parameters.ts";
import { readStoredWeights, type StoredWeights, storedWeights } from "./stored-weights.ts";

/** A folder in memory. */
function folderOf(files: Readonly<Record<string, Uint8Array | string>>): FolderReader {
  const bytes = (path: string): Uint8Array => {
    const content = files[path]!;
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  return {
    name: "model",
    exists: async (path) => path in files,
    readText: async (path) => new TextDecoder().decode(bytes(path)),
    source: async (path): Promise<ByteSource> => bytesSource(path, bytes(path)),
  };
}

const half = (shape: number[], values: number[]): Tensor => ({
  type: "float16",
  shape,
  data: float32ToFloat16(Float32Array.from(values)),
});

function unetOf(tensors: Readonly<Record<string, Tensor>>): Promise<StoredWeights> {
  return storedWeights(folderOf({ "unet/w.safetensors": encodeSafetensors(tensors) }), ["unet/w.safetensors"], "unet");
}

describe("readStoredWeights", () => {
  const one = encodeSafetensors({ a: float32([1], [1]) });
  const two = encodeSafetensors({ b: float32([1], [2]) });

  it("prefers the plain file over the variant in half precision", async () => {
    const folder = folderOf({
      "unet/diffusion_pytorch_model.fp16.safetensors": two,
      "unet/diffusion_pytorch_model.safetensors": one,
    });
    expect((await readStoredWeights(folder, "unet", "unet")).files).toEqual([
      "unet/diffusion_pytorch_model.safetensors",
    ]);
  });

  it("joins pieces that an index names", async () => {
    const index = { metadata: {}, weight_map: { a: "p-1.safetensors", b: "p-2.safetensors" } };
    const folder = folderOf({
      "unet/diffusion_pytorch_model.safetensors.index.json": JSON.stringify(index),
      "unet/p-1.safetensors": one,
      "unet/p-2.safetensors": two,
    });
    const loaded = await loadWeights(await readStoredWeights(folder, "unet", "unet"));
    expect(loaded).toEqual(
      new Map([
        ["a", float32([1], [1])],
        ["b", float32([1], [2])],
      ]),
    );
  });

  it("refuses pieces outside the folder, empty files and nothing at all", async () => {
    const index = JSON.stringify({ weight_map: { a: "../../secret.safetensors" } });
    const read = (files: Record<string, string>): Promise<StoredWeights> =>
      readStoredWeights(folderOf(files), "unet", "unet");
    await expect(read({ "unet/model.safetensors.index.json": index })).rejects.toThrow(
      "must lie in a file beside the index",
    );
    await expect(read({ "unet/diffusion_pytorch_model.bin": "" })).rejects.toThrow("the file is empty");
    await expect(read({})).rejects.toThrow("there is no weight file");
  });

  it("gives old and new names their present form, and refuses two for one", async () => {
    const old = encodeSafetensors({ "encoder.mid_block.attentions.0.proj_attn.bias": float32([1], [3]) });
    const vae = await storedWeights(folderOf({ "vae/w": old }), ["vae/w"], "autoencoder");
    expect([...vae.tensors.keys()]).toEqual(["encoder.mid_block.attentions.0.to_out.0.bias"]);
    const fresh = encodeSafetensors({ "encoder.layers.0.mlp.fc1.bias": float32([1], [3]) });
    const text = await storedWeights(folderOf({ t: fresh }), ["t"], "text-encoder");
    expect([...text.tensors.keys()]).toEqual(["text_model.encoder.layers.0.mlp.fc1.bias"]);
    const both = encodeSafetensors({
      "text_model.final_layer_norm.bias": float32([1], [3]),
      "final_layer_norm.bias": float32([1], [3]),
    });
    await expect(storedWeights(folderOf({ t: both }), ["t"], "text-encoder")).rejects.toThrow("both stand for");
  });
});

describe("parameters", () => {
  it("in place refer to the file, and to float16 through a conversion", async () => {
    const weights = await unetOf({ half: half([2], [1, 2]), single: float32([3], [1, 2, 3]) });
    const { source } = await inPlaceParameters(weights);
    const single = source("single", [3]);
    expect(single.source).toMatchObject({ kind: "file", slice: { file: "unet/w.safetensors", length: 12 } });
    const converted = source("half", [2]);
    expect(converted.type).toBe("float32");
    if (converted.source.kind !== "operation") throw new Error("a conversion was expected");
    expect(converted.source.operation.inputs[0]!.source).toMatchObject({ kind: "file", slice: { length: 4 } });
    expect(source("half", [2])).toBe(converted);
  });

  it("in place give the runtime all float types of a file as float32", async () => {
    const tensors: Record<string, Tensor> = {
      half: half([2], [1.5, -2]),
      brain: { type: "bfloat16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
      double: { type: "float64", shape: [2], data: Float64Array.of(0.25, -8) },
      single: float32([2], [3, 4]),
    };
    const { source } = await inPlaceParameters(await unetOf(tensors));
    const folder = await mkdtemp(join(tmpdir(), "fourstep-parameters-"));
    const runtime = onnxRuntime({ threads: 1 });
    try {
      await mkdir(join(folder, "unet"));
      await writeFile(join(folder, "unet/w.safetensors"), encodeSafetensors(tensors));
      const values = Object.keys(tensors).map((name) => [name, scale(source(name, [2]), 2)] as const);
      const session = await runtime.compile(encode(Object.fromEntries(values)), { folder });
      const results = await session.run({});
      const numbers = Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]);
      expect(Object.fromEntries(numbers)).toEqual({
        half: [3, -4],
        brain: [2, -4],
        double: [0.5, -16],
        single: [6, 8],
      });
    } finally {
      await runtime.dispose();
      await rm(folder, { recursive: true });
    }
  });

  it("in place read into memory what does not lie at a multiple of its size", async () => {
    const file = encodeSafetensors({ a: float32([2], [1, -2]) });
    const source = bytesSource("unet/w.safetensors", Uint8Array.of(0, ...file));
    const entry = { name: "a", type: "float32", shape: [2], begin: file.length - 7, end: file.length + 1 } as const;
    const stored = { file: "unet/w.safetensors", source, entry };
    const weights: StoredWeights = { ...(await unetOf({})), tensors: new Map([["a", stored]]) };
    const value = (await inPlaceParameters(weights)).source("a", [2]);
    expect(value.source).toMatchObject({ kind: "constant", tensor: { data: Float32Array.of(1, -2) } });
  });

  it("name file, key and both shapes when a tensor is missing or of another shape", async () => {
    const weights = await unetOf({ a: float32([2, 2], [1, 2, 3, 4]) });
    for (const { source } of [await inPlaceParameters(weights), memoryParameters(await loadWeights(weights), "it")]) {
      expect(() => source("b", [2])).toThrow(CheckpointError);
      expect(() => source("b", [2])).toThrow('the tensor "b" of shape [2] is missing');
      expect(() => source("a", [4])).toThrow('the tensor "a" has the shape [2, 2], but the configuration asks for [4]');
    }
  });

  it("take a matrix for a convolution of one pixel, and the reverse", async () => {
    const weights = await unetOf({ conv: float32([2, 1, 1, 1], [1, 2]), matrix: float32([2, 1], [3, 4]) });
    const { source } = memoryParameters(await loadWeights(weights), "it");
    expect(source("conv", [2, 1]).shape).toEqual([2, 1]);
    expect(source("matrix", [2, 1, 1, 1]).shape).toEqual([2, 1, 1, 1]);
  });

  it("report what no model asked for, and skip what models compute", async () => {
    const weights = await storedWeights(
      folderOf({
        t: encodeSafetensors({
          "text_model.embeddings.position_ids": { type: "int64", shape: [1], data: BigInt64Array.of(0n) },
          "text_model.a": float32([1], [1]),
          "text_model.b": float32([1], [1]),
        }),
      }),
      ["t"],
      "text-encoder",
    );
    const parameters = await inPlaceParameters(weights);
    parameters.source("text_model.b", [1]);
    expect(parameters.unused()).toEqual(["text_model.a"]);
  });
});
