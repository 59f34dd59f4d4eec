import { expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { encode } from "../../src/graph/encode.ts";
import { mul } from "../../src/graph/ops/arithmetic.ts";
import { meanOfAll } from "../../src/graph/ops/reduction.ts";
import { gather } from "../../src/graph/ops/structure.ts";
import { input } from "../../src/graph/value.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { float32, int64 } from "../../src/tensor/tensor.ts";

test("rows that occur thousands of times get their whole gradient, the same at every run", async () => {
  const [rows, width, count] = [7, 64, 6000];
  const table = input("table", [rows, width]);
  const indices = Array.from({ length: count }, (_, i) => (i * i + (i >> 3)) % rows);
  const weights = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i * 12.9898));
  const loss = meanOfAll(mul(gather(table, input("rows", [count], "int64")), input("weights", [count, width])));
  const runtime = onnxRuntime({ threads: 4 });
  const session = await runtime.compile(encode({ gradient: backward(loss, [table])[0]! }));
  const feeds = { rows: int64([count], indices), weights: float32([count, width], weights) };
  const { gradient } = await session.run(feeds);

  const expected = new Float64Array(rows * width);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < width; j++) expected[indices[i]! * width + j]! += weights[i * width + j]! / (count * width);
  }
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - Number(gradient!.data[i]))));
  expect(worst).toBeLessThan(1e-8);
  for (let i = 0; i < 10; i++) expect((await session.run(feeds))["gradient"]).toEqual(gradient);
  await runtime.dispose();
});
