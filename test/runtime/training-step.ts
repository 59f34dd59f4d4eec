/** Computes a small network's loss and gradients on whichever runtime the package conditions choose; prints them as JSON. */
import { backward } from "../../src/autodiff/backward.ts";
import { encode } from "../../src/graph/encode.ts";
import { mul } from "../../src/graph/ops/arithmetic.ts";
import { conv2d } from "../../src/graph/ops/convolution.ts";
import { silu } from "../../src/graph/ops/elementwise.ts";
import { groupNorm } from "../../src/graph/ops/normalisation.ts";
import { meanOfAll } from "../../src/graph/ops/reduction.ts";
import { input } from "../../src/graph/value.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { elementCount, float32 } from "../../src/tensor/tensor.ts";

const parameters = [
  input("x", [8, 3, 6, 6]),
  input("w", [16, 8, 3, 3]),
  input("gamma", [16]),
  input("beta", [16]),
] as const;
const [x, w, gamma, beta] = parameters;
const normal = groupNorm(conv2d(x, w, undefined, { padding: 1, stride: 2 }), gamma, beta, { groups: 4, epsilon: 1e-5 });
const y = silu(normal);
const loss = meanOfAll(mul(y, y));
const gradients = backward(loss, parameters);
const outputs = Object.fromEntries(gradients.map((gradient, i) => [`g${i}`, gradient]));
const runtime = onnxRuntime({ threads: 1 });
const session = await runtime.compile(encode({ loss, ...outputs }));
const feeds = Object.fromEntries(
  ["x", "w", "gamma", "beta"].map((name, i) => {
    const { shape } = parameters[i]!;
    return [
      name,
      float32(
        shape,
        Float32Array.from({ length: elementCount(shape) }, (_, n) => Math.sin(1.7 * n + i)),
      ),
    ];
  }),
);
const results = await session.run(feeds);
await runtime.dispose();
console.log(
  JSON.stringify(
    Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)])),
  ),
);
