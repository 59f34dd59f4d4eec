import { afterAll, describe, expect, test } from "vitest";
import { RuntimeFailure } from "../errors.ts";
import { encode } from "../graph/encode.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { conv2d } from "../graph/ops/convolution.ts";
import { tanh } from "../graph/ops/elementwise.ts";
import { matmul } from "../graph/ops/product.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { fileConstant, input, type Value } from "../graph/value.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { workerRuntime } from "./worker-runtime.ts";

const runtime = workerRuntime({ threads: 2 });
afterAll(() => runtime.dispose());

const wave = (shape: readonly number[], seed: number): Tensor<"float32"> =>
  float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(i * 12.9898 + seed)),
  );
const shared = (shape: readonly number[], values: ArrayLike<number> = []): Tensor<"float32"> => {
  const data = new Float32Array(new SharedArrayBuffer(4 * elementCount(shape)));
  data.set(values);
  return { type: "float32", shape, data };
};

const a = input("a", [2, 3]);
const b = input("b", [2, 3]);
const sums = encode({ sum: add(a, b), product: mul(a, b) });
const [one, two] = [float32([2, 3], [1, 2, 3, 4, 5, 6]), float32([2, 3], [2, 2, 2, 3, 3, 3])];

/** A graph that takes a while, and its inputs. */
const long = ((): { model: ReturnType<typeof encode>; inputs: Record<string, Tensor> } => {
  const w = input("w", [512, 512]);
  let x: Value = w;
  for (let i = 0; i < 24; i++) x = tanh(matmul(x, w, { alpha: 0.1 }));
  return { model: encode({ mean: meanOfAll(x) }), inputs: { w: wave([512, 512], 1) } };
})();

describe("workerRuntime", () => {
  test("gives what the runtime in this thread gives, and leaves the inputs as they are", async () => {
    const session = await runtime.compile(sums);
    expect(session.inputs).toEqual(["a", "b"]);
    expect(session.outputs).toEqual(["sum", "product"]);
    const { sum, product } = await session.run({ a: one, b: two });
    expect(sum).toEqual(float32([2, 3], [3, 4, 5, 7, 8, 9]));
    expect(product).toEqual(float32([2, 3], [2, 4, 6, 12, 15, 18]));
    expect(Array.from(one.data)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("lets a session take the place of another", async () => {
    const other = workerRuntime({ threads: 1 });
    const before = await runtime.compile(sums);
    const model = encode({ sum: add(a, mul(a, b)) });
    const next = await runtime.compile(model, { replacing: before });
    expect((await next.run({ a: one, b: two }))["sum"]).toEqual(float32([2, 3], [3, 6, 9, 16, 20, 24]));
    await expect(before.run({ a: one, b: two })).rejects.toThrow("This session was disposed");
    const elsewhere = await other.compile(model, { replacing: next });
    expect((await elsewhere.run({ a: one, b: two }))["sum"]).toEqual(float32([2, 3], [3, 6, 9, 16, 20, 24]));
    await expect(next.run({ a: one, b: two })).rejects.toThrow("This session was disposed");
    await other.dispose();
  });

  test("takes parts of larger arrays and shared memory", async () => {
    const session = await runtime.compile(sums);
    const part = { ...one, data: Float32Array.of(9, 1, 2, 3, 4, 5, 6, 9).subarray(1, 7) };
    const { sum } = await session.run({ a: part, b: shared([2, 3], two.data) });
    expect(sum).toEqual(float32([2, 3], [3, 4, 5, 7, 8, 9]));
  });

  test("writes into tensors that are given, shared or not", async () => {
    const session = await runtime.compile(sums);
    const into = { sum: float32([2, 3], new Float32Array(6)), product: shared([2, 3]) };
    const results = await session.run({ a: one, b: two }, { into });
    expect(results["sum"]).toBe(into.sum);
    expect(results["product"]).toBe(into.product);
    expect(Array.from(into.sum.data)).toEqual([3, 4, 5, 7, 8, 9]);
    expect(Array.from(into.product.data)).toEqual([2, 4, 6, 12, 15, 18]);
    for (const wrong of [float32([3, 2], new Float32Array(6)), shared([3, 2])]) {
      await expect(session.run({ a: one, b: two }, { into: { sum: wrong } })).rejects.toThrow(
        'The tensor given for the output "sum" is float32 [3, 2], but the graph gives float32 [2, 3].',
      );
    }
  });

  test("gives the same bits at every run", async () => {
    const x = input("x", [16, 2, 24, 24]);
    const w = input("w", [16, 16, 3, 3]);
    const session = await runtime.compile(encode({ y: conv2d(x, w, undefined, { padding: 1 }), ...lossOf(x, w) }));
    const inputs = { x: wave([16, 2, 24, 24], 0), w: wave([16, 16, 3, 3], 1) };
    const first = await session.run(inputs);
    for (let i = 0; i < 5; i++) expect(await session.run(inputs)).toEqual(first);
    const here = onnxRuntime({ threads: 2 });
    const local = await here.compile(encode({ y: conv2d(x, w, undefined, { padding: 1 }), ...lossOf(x, w) }));
    expect(await local.run(inputs)).toEqual(first);
    await here.dispose();
  });

  test("leaves the event loop free while a graph runs", async () => {
    const session = await runtime.compile(long.model);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await session.run(long.inputs);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  test("takes back a run that waits behind another", async () => {
    const session = await runtime.compile(long.model);
    const controller = new AbortController();
    const first = session.run(long.inputs);
    const second = session.run(long.inputs, { signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: "AbortError" });
    expect((await first)["mean"]!.shape).toEqual([]);
    await expect(session.run(long.inputs, { signal: controller.signal })).rejects.toMatchObject({ name: "AbortError" });
  });

  test("brings errors over with their class and sentence", async () => {
    const session = await runtime.compile(sums);
    const missing = session.run({ a: one });
    await expect(missing).rejects.toThrow('The graph\'s input "b" is missing; it takes a, b.');
    await expect(missing).rejects.toBeInstanceOf(RuntimeFailure);
    const file = fileConstant("w", [2, 3], "float32", { file: "w.safetensors", offset: 0, length: 24 });
    await expect(runtime.compile(encode({ y: add(a, file) }))).rejects.toThrow(
      "The model reads w.safetensors in place; say in which folder these files lie.",
    );
  });

  test("frees sessions and, at last, the thread", async () => {
    const own = workerRuntime({ threads: 1 });
    const [session, other] = [await own.compile(sums), await own.compile(sums)];
    await session.dispose();
    await session.dispose();
    await expect(session.run({ a: one, b: two })).rejects.toThrow("This session was disposed");
    const running = other.run({ a: one, b: two });
    const closed = own.dispose();
    expect((await running)["sum"]).toEqual(float32([2, 3], [3, 4, 5, 7, 8, 9]));
    await closed;
    await own.dispose();
    await other.dispose();
    await expect(other.run({ a: one, b: two })).rejects.toBeInstanceOf(RuntimeFailure);
    await expect(own.compile(sums)).rejects.toThrow("The worker that runs graphs was closed; start a new one.");
  });
});

function lossOf(x: Value, w: Value): { loss: Value } {
  return { loss: meanOfAll(mul(tanh(conv2d(x, w)), tanh(conv2d(x, w)))) };
}
