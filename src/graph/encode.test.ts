import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError, RuntimeFailure } from "../errors.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { encode, type OnnxModel } from "./encode.ts";
import { add, div, mul } from "./ops/arithmetic.ts";
import { cast, neg } from "./ops/elementwise.ts";
import { gemm } from "./ops/product.ts";
import { constant, fileConstant, input, scalar, type Value } from "./value.ts";

const runtime = onnxRuntime({ threads: 1 });
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-encode-"));
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

async function run(model: OnnxModel, inputs: Record<string, Tensor> = {}): Promise<Readonly<Record<string, Tensor>>> {
  const session = await runtime.compile(model, model.files.length > 0 ? { folder } : {});
  const results = await session.run(inputs);
  await session.dispose();
  return results;
}

/** The bodies of a message's fields with a number, of those that have a length. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const found: Uint8Array[] = [];
  while (at < bytes.length) {
    const key = varint();
    if ((key & 7) === 0) varint();
    else if ((key & 7) === 5) at += 4;
    else {
      const length = varint();
      if (key >> 3 === wanted) found.push(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}

/** Initializers of a model: field 5 of its graph, which is field 7. */
const initializersOf = (model: OnnxModel): number => fieldsOf(fieldsOf(model.bytes, 7)[0]!, 5).length;

/** A safetensors file whose data starts at an odd byte: nothing in the format forbids it. */
async function writeOddFile(name: string, dtype: string, shape: readonly number[], data: Uint8Array): Promise<number> {
  const json = JSON.stringify({ w: { dtype, shape, data_offsets: [0, data.length] } });
  const header = json.padEnd(json.length + (json.length % 2 === 0 ? 1 : 0));
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  bytes.set(data, 8 + header.length);
  await writeFile(join(folder, name), bytes);
  return 8 + header.length;
}

const x = input("x", [2, 3]);
const threes = float32([2, 3], [1, 2, 3, 4, 5, 6]);

describe("weights in place", () => {
  test("are read from a safetensors file at an odd offset, and their bytes stay there", async () => {
    const weights = Float32Array.from({ length: 300 }, (_, i) => i / 16);
    const offset = await writeOddFile("odd.safetensors", "F32", [100, 3], new Uint8Array(weights.buffer));
    expect(offset % 2).toBe(1);
    const slice = { file: "odd.safetensors", offset, length: 1200 };
    const model = encode({
      y: gemm(x, fileConstant("w", [100, 3], "float32", slice), undefined, { transposeB: true }),
    });
    expect(model.files).toEqual(["odd.safetensors"]);
    expect(model.bytes.length).toBeLessThan(400);
    const { y } = await run(model, { x: threes });
    const row = (r: number[], j: number): number => r.reduce((sum, value, i) => sum + value * weights[3 * j + i]!, 0);
    const expected = [
      [1, 2, 3],
      [4, 5, 6],
    ].flatMap((r) => Array.from({ length: 100 }, (_, j) => row(r, j)));
    expect(y).toEqual(float32([2, 100], expected));
  });

  test("may be a part of a tensor, and in half precision", async () => {
    // 0.5, 1, -2, 65504 and 2^-24 as float16.
    const halves = Uint16Array.of(0x3800, 0x3c00, 0xc000, 0x7bff, 0x0001);
    const offset = await writeOddFile("half.safetensors", "F16", [5], new Uint8Array(halves.buffer));
    const slice = { file: "half.safetensors", offset: offset + 2, length: 8 };
    const model = encode({ y: cast(fileConstant("w", [4], "float16", slice), "float32") });
    expect((await run(model))["y"]).toEqual(float32([4], [1, -2, 65504, 2 ** -24]));
  });

  test("of one place are written once, however often they are named", () => {
    const slice = { file: "w.safetensors", offset: 65, length: 24 };
    const once = (name: string): Value => fileConstant(name, [2, 3], "float32", slice);
    expect(initializersOf(encode({ y: add(mul(x, once("a")), once("b")) }))).toBe(1);
    const elsewhere = fileConstant("c", [2, 3], "float32", { ...slice, offset: 89 });
    expect(initializersOf(encode({ y: add(mul(x, once("a")), elsewhere) }))).toBe(2);
  });

  test("need a folder and all of their bytes", async () => {
    const slice = { file: "short.safetensors", offset: 1, length: 24 };
    const model = encode({ y: add(x, fileConstant("w", [2, 3], "float32", slice)) });
    await expect(runtime.compile(model)).rejects.toThrow(
      "The model reads short.safetensors in place; say in which folder these files lie.",
    );
    await writeFile(join(folder, "short.safetensors"), new Uint8Array(20));
    await expect(run(model, { x: threes })).rejects.toBeInstanceOf(RuntimeFailure);
  });
});

describe("constants", () => {
  test("that are small and equal are written once", async () => {
    const model = encode({ y: add(mul(x, scalar(3)), scalar(3)), z: add(x, scalar(3)) });
    expect(initializersOf(model)).toBe(1);
    expect((await run(model, { x: threes }))["y"]!.data).toEqual(Float32Array.of(6, 9, 12, 15, 18, 21));
    const shaped = constant(float32([1], [3]));
    expect(initializersOf(encode({ y: add(mul(x, scalar(3)), shaped) }))).toBe(2);
  });

  test("that are zero keep their sign", async () => {
    const model = encode({ y: div(x, scalar(0)), z: div(x, scalar(-0)) });
    const { y, z } = await run(model, { x: threes });
    expect(y!.data[0]).toBe(Number.POSITIVE_INFINITY);
    expect(z!.data[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  test("that are large are written once for each tensor", () => {
    const large = float32([300], new Float32Array(300));
    const y = input("y", [300]);
    expect(initializersOf(encode({ z: add(mul(y, constant(large)), constant(large)) }))).toBe(1);
  });

  test("that are larger still lie beside the model, as views of their tensors", async () => {
    const data = Float32Array.from({ length: 40_002 }, (_, i) => Math.sin(i));
    const tensor = float32([200, 200], data.subarray(1, 40_001));
    const table = constant(tensor);
    const row = input("row", [1, 200]);
    const model = encode({ y: gemm(row, table), z: gemm(row, table, undefined, { transposeB: true }) });
    expect(model.constants.map(({ data: { length, buffer } }) => [length, buffer])).toEqual([[160_000, data.buffer]]);
    expect(model.bytes.length).toBeLessThan(1000);
    const { y, z } = await run(model, { row: float32([1, 200], new Float32Array(200).fill(1)) });
    const total = (places: (i: number) => number): number =>
      Array.from({ length: 200 }, (_, i) => tensor.data[places(i)]!).reduce((a, b) => a + b, 0);
    expect(y!.data[7]).toBeCloseTo(
      total((i) => 200 * i + 7),
      3,
    );
    expect(z!.data[7]).toBeCloseTo(
      total((i) => 1400 + i),
      3,
    );
  });

  test("that are larger still lie in the model where others lie in a file, as no runtime takes both", () => {
    const table = constant(float32([200, 200], new Float32Array(40_000).fill(1)));
    const stored = fileConstant("w", [200, 200], "float32", { file: "w.safetensors", offset: 8, length: 160_000 });
    const model = encode({ y: gemm(gemm(input("row", [1, 200]), table), stored) });
    expect(model.constants).toEqual([]);
    expect(model.files).toEqual(["w.safetensors"]);
    expect(model.bytes.length).toBeGreaterThan(160_000);
  });

  test("of any type and size arrive as they are", async () => {
    const numbers = { type: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 40n), 7n) } as const;
    const part = { type: "float32", shape: [2], data: Float32Array.of(9, 1, 2, 9).subarray(1, 3) } as const;
    const model = encode({ a: constant(numbers), b: constant(part), c: constant(float32([0, 3], [])) });
    const results = await run(model);
    expect(results["a"]).toEqual(numbers);
    expect(results["b"]).toEqual(float32([2], [1, 2]));
    expect(results["c"]).toEqual(float32([0, 3], []));
  });
});

describe("names", () => {
  test("given twice are refused", () => {
    expect(() => encode({ y: add(x, input("x", [2, 3])) })).toThrow(
      new FormatError('Two inputs of the graph are named "x"; give each its own name.'),
    );
    expect(() => encode({ x: neg(x) })).toThrow(
      new FormatError('An input and a result of the graph are both named "x"; give each its own name.'),
    );
  });

  test("of the encoder's own give way to those given", async () => {
    const [v0, v1] = [input("v0", [2]), input("v1", [2])];
    const model = encode({ v2: add(neg(v0), v1), v3: mul(v0, scalar(2)) });
    const results = await run(model, { v0: float32([2], [1, 2]), v1: float32([2], [5, 5]) });
    expect(results["v2"]).toEqual(float32([2], [4, 3]));
    expect(results["v3"]).toEqual(float32([2], [2, 4]));
  });

  test("of one value may be several, and an input may be a result", async () => {
    const y = neg(x);
    const results = await run(encode({ a: y, b: y, c: x }), { x: threes });
    expect(results["a"]).toEqual(results["b"]);
    expect(results["c"]).toEqual(threes);
  });
});
