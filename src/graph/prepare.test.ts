import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { OnnxSession } from "../runtime/onnx-session.ts";
import type { Session } from "../runtime/runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { encode, type OnnxModel } from "./encode.ts";
import { add } from "./ops/arithmetic.ts";
import { cast } from "./ops/elementwise.ts";
import { gemm, matmul } from "./ops/product.ts";
import { reshape, slice } from "./ops/structure.ts";
import { operationsInOrder } from "./order.ts";
import { constantResults, encodePrepared } from "./prepare.ts";
import { constant, fileConstant, input, type Value } from "./value.ts";

const runtime = onnxRuntime({ threads: 1 });
const folders: string[] = [];
afterAll(async () => {
  await runtime.dispose();
  for (const folder of folders) await rm(folder, { recursive: true });
});

const normal = (name: string, shape: readonly number[]): Tensor<"float32"> =>
  float32(shape, counterNormal(5, name, 0, elementCount(shape)));
const x = input("x", [2, 128]);
const given = { x: normal("x", [2, 128]) };
const base = normal("base", [128, 128]);

/** `x (W + s up down)^T`, where all but x is constant. */
function adapted(scale: number, weight: Value = constant(base)): Value {
  const up = constant(
    float32(
      [128, 4],
      normal("up", [128, 4]).data.map((value) => scale * value),
    ),
  );
  const merged = gemm(up, constant(normal("down", [4, 128])), weight);
  return gemm(x, merged, undefined, { transposeB: true });
}
const data = async (session: Session): Promise<Float32Array> => (await session.run(given))["y"]!.data as Float32Array;
async function once(model: OnnxModel): Promise<Float32Array> {
  const session = await runtime.compile(model);
  const result = await data(session);
  await session.dispose();
  return result;
}

describe("constantResults", () => {
  it("finds large values that follow from constants, not small ones, nor what depends on inputs", () => {
    const small = add(constant(normal("a", [8])), constant(normal("b", [8])));
    const large = add(constant(base), constant(normal("c", [128, 128])));
    const y = add(gemm(x, large), reshape(small, [8, 1]).shape[0] === 8 ? gemm(x, add(large, large)) : x);
    const found = constantResults([y, add(input("z", [8]), small)]);
    expect(found).toHaveLength(2);
    expect(found[0]).toBe(large);
  });

  it("looks through reshapes, which cost nothing where a value is used", () => {
    const sum = add(constant(base), constant(normal("c", [128, 128])));
    const y = gemm(
      x,
      reshape(sum, [128, 128, 1]).shape.length === 3 ? reshape(reshape(sum, [64, 256]), [128, 128]) : x,
    );
    expect(constantResults([y])).toEqual([sum]);
    expect(constantResults([gemm(input("u", [1, 64]), reshape(sum, [64, 256]))])).toEqual([sum]);
  });
});

describe("a runtime that brings constants into its layouts", () => {
  it("is left all but the left factors of products", () => {
    const slice = { file: "weights", offset: 0, length: 2 * 128 * 128 };
    const half = cast(fileConstant("w", [128, 128], "float16", slice), "float32");
    const sum = add(half, half);
    expect(constantResults([gemm(x, half), gemm(x, sum)])).toEqual([half, sum]);
    expect(constantResults([gemm(x, half), gemm(x, sum), matmul(x, sum)], true)).toEqual([]);
    expect(constantResults([gemm(x, sum), matmul(sum, input("z", [128, 2]))], true)).toEqual([sum]);
  });
});

describe("encodePrepared", () => {
  it("gives the numbers that the whole graph gives", async () => {
    const model = encodePrepared({ y: adapted(0.5) });
    expect(model.preparations).toHaveLength(1);
    expect(model.inputs).toEqual(["x"]);
    expect(await once(model)).toEqual(await once(encode({ y: adapted(0.5) })));
  });

  it("writes a graph without large constants as it is", () => {
    const model = encodePrepared({ y: gemm(x, input("w", [128, 128])) });
    expect(model.preparations).toEqual([]);
    expect(model.bytes).toEqual(encode({ y: gemm(x, input("w", [128, 128])) }).bytes);
  });

  it("keeps what adapters have no part in apart", () => {
    const plain = add(constant(float32([1], [1])), fileConstant("w", [128, 128], "float32", slot(0)));
    const model = encodePrepared({ y: add(adapted(1), gemm(x, plain)) });
    expect(model.preparations!.map(({ outputs, files }) => [outputs.length, files.length])).toEqual([
      [1, 1],
      [1, 0],
    ]);
  });
});

const slot = (row: number) => ({ file: "weights", offset: 8 + 4 * 128 * row, length: 4 * 128 * 128 });

describe("constants in files", () => {
  it("are described anew when they are reshaped, or their first rows are cut out", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fourstep-prepare-"));
    folders.push(folder);
    await writeFile(join(folder, "weights"), Buffer.concat([Buffer.alloc(8), Buffer.from(base.data.buffer)]));
    const weight = fileConstant("w", [128, 128], "float32", slot(0));
    const part = slice(reshape(weight, [1, 128, 128]), 1, 64, 128);
    expect(operationsInOrder([part])).toEqual([]);
    expect(part.source).toMatchObject({ slice: { offset: 8 + 4 * 128 * 64, length: 4 * 128 * 64 } });
    const session = await runtime.compile(
      encode({ y: gemm(x, reshape(part, [64, 128]), undefined, { transposeB: true }) }),
      { folder },
    );
    const memory = encode({
      y: gemm(x, slice(constant(base), 0, 64, 128), undefined, { transposeB: true }),
    });
    expect(await data(session)).toEqual(await once(memory));
    await session.dispose();
  });
});

describe("a session that replaces another", () => {
  it("gives what a fresh one gives, whether or not the graph is the same", async () => {
    const models = [adapted(0.5), adapted(-1), gemm(x, constant(base), undefined, { transposeB: true }), adapted(0.5)];
    let session = await runtime.compile(encodePrepared({ y: adapted(1) }));
    for (const y of models) {
      const before = session;
      session = await runtime.compile(encodePrepared({ y }), { replacing: before });
      expect(await data(session)).toEqual(await once(encodePrepared({ y })));
      await expect(before.run(given)).rejects.toThrow("This session was disposed");
    }
    await session.dispose();
  });

  it("shares what was prepared with others that are open", async () => {
    const up = constant(normal("up", [128, 4]));
    const merged = gemm(up, constant(normal("down", [4, 128])), constant(base));
    const product = (rows: number): Value => gemm(input("x", [rows, 128]), merged, undefined, { transposeB: true });
    const first = await runtime.compile(encodePrepared({ y: product(2) }));
    const second = await runtime.compile(encodePrepared({ y: product(1) }));
    expect(first).toBeInstanceOf(OnnxSession);
    const prepared = [first, second].map((one) => (one as OnnxSession).made?.prepared.get("prepared 0"));
    expect(prepared[0]?.size).toBe(128 * 128);
    expect(prepared[1]).toBe(prepared[0]);
    await first.dispose();
    const row = { x: float32([1, 128], given.x.data.slice(0, 128)) };
    const results = (await second.run(row))["y"]!.data as Float32Array;
    const both = await once(encodePrepared({ y: product(2) }));
    for (const [i, value] of results.entries()) expect(value).toBeCloseTo(both[i]!, 4);
    await second.dispose();
  });

  it("leaves nothing half-made when a preparation fails", async () => {
    const before = await runtime.compile(encodePrepared({ y: adapted(1) }));
    const lost = adapted(1, fileConstant("w", [128, 128], "float32", slot(0)));
    await expect(runtime.compile(encodePrepared({ y: lost }), { replacing: before, folder: tmpdir() })).rejects.toThrow(
      "could not be compiled",
    );
    await expect(before.run(given)).rejects.toThrow("This session was disposed");
    expect(await once(encodePrepared({ y: adapted(1) }))).toHaveLength(256);
  });
});
