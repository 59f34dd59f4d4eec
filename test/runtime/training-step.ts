/** Computes a small network's loss and gradients on whichever runtime the package conditions choose; prints them as JSON. */
import { backward } from "../../src/autodiff/backward.ts";
import { encode } from "../../src/graph/encode.ts";
import { add, mul } from "../../src/graph/ops/arithmetic.ts";
import { conv2d } from "../../src/graph/ops/convolution.ts";
import { silu } from "../../src/graph/ops/elementwise.ts";
import { groupNorm } from "../../src/graph/ops/normalisation.ts";
import { matmul } from "../../src/graph/ops/product.ts";
import { meanOfAll } from "../../src/graph/ops/reduction.ts";
import { reshape } from "../../src/graph/ops/structure.ts";
import { constant, input } from "../../src/graph/value.ts";
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
// A constant that is large enough to lie beside the model.
const large = constant(
  float32(
    [144, 128],
    Float32Array.from({ length: 144 * 128 }, (_, n) => Math.cos(0.3 * n)),
  ),
);
const mixed = matmul(reshape(y, [3, 144]), large);
const loss = add(meanOfAll(mul(y, y)), meanOfAll(mul(mixed, mixed)));
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
