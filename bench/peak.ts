import { encode } from "../src/graph/encode.ts";
import { matmul } from "../src/graph/ops/product.ts";
import { reduceSum } from "../src/graph/ops/reduction.ts";
import { constant, input } from "../src/graph/value.ts";
import { onnxRuntime } from "../src/runtime/onnx-runtime.ts";
import { float32 } from "../src/tensor/tensor.ts";

/** The processor's peak as ONNX Runtime reaches it, in GFLOP/s: the best of eight products of 2048 x 2048 matrices. */
export async function matrixPeak(threads: number): Promise<number> {
  const n = 2048;
  const data = (): Float32Array => Float32Array.from({ length: n * n }, (_, i) => (i % 17) / 17);
  const runtime = onnxRuntime({ threads });
  const a = float32([n, n], data());
  // The sums keep the runtime from copying 16 MB out at each run; they are a thousandth of the work.
  const product = matmul(input("a", [n, n]), constant(float32([n, n], data())));
  const session = await runtime.compile(encode({ sums: reduceSum(product, [1]) }));
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    await session.run({ a });
    best = Math.min(best, performance.now() - start);
  }
  await runtime.dispose();
  return (2 * n ** 3) / best / 1e6;
}
