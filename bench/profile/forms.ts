/**
 * The same computation written in several ways, timed one by one: linear layers, attention, and group normalisation with
 * SiLU, in the shapes of Stable Diffusion 1.5 and its autoencoder at 512x512.
 *
 *     node --import tsx bench/profile/forms.ts [--threads 1] [--only attention]
 *
 * Prints the best wall time, and with one thread the processor time too, which other programs hardly disturb.
 */
import { parseArgs } from "node:util";
import { contrib } from "../../src/graph/emitter.ts";
import { encode } from "../../src/graph/encode.ts";
import { apply1, define } from "../../src/graph/operation.ts";
import { add, mul, scale, shift, sub } from "../../src/graph/ops/arithmetic.ts";
import { attention } from "../../src/graph/ops/attention.ts";
import { reciprocal, silu, sqrt } from "../../src/graph/ops/elementwise.ts";
import { groupNorm, groupNormOfBatch, layerNorm } from "../../src/graph/ops/normalisation.ts";
import { gemm } from "../../src/graph/ops/product.ts";
import { reduceSum } from "../../src/graph/ops/reduction.ts";
import { concat, reshape, slice } from "../../src/graph/ops/structure.ts";
import { constant, input, type Value } from "../../src/graph/value.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { counterNormal } from "../../src/tensor/random/counter.ts";
import { float32, type Tensor } from "../../src/tensor/tensor.ts";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    runs: { type: "string", default: "5" },
  },
});
const threads = Number(values.threads);

interface Trial {
  readonly name: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly operations: number;
  readonly forms: Readonly<Record<string, (inputs: Readonly<Record<string, Value>>) => Value>>;
}

/** The runtime's own attention, which keeps blocks of scores in the cache. */
const fused = define({
  kind: "multiHeadAttention",
  infer: ([q]: readonly Value[], _: { readonly heads: number }) => [{ type: q!.type, shape: q!.shape }],
  emit: (emitter, inputs, outputs, { heads }) =>
    emitter.node("MultiHeadAttention", inputs, outputs, { num_heads: { int: heads } }, contrib),
});

function attentionTrial(queries: number, keys: number, heads: number, size: number): Trial {
  const width = heads * size;
  const blocks = (count: number) => (given: Readonly<Record<string, Value>>) => {
    const rows = queries / count;
    const parts = Array.from({ length: count }, (_, i) =>
      attention(slice(given["q"]!, 0, i * rows, (i + 1) * rows), given["k"]!, given["v"]!, { heads, batch: 1 }),
    );
    return concat(parts, 0);
  };
  return {
    name: `attention ${queries} to ${keys}, ${heads} heads of ${size}`,
    inputs: { q: [queries, width], k: [keys, width], v: [keys, width] },
    operations: 4 * queries * keys * width,
    forms: {
      "as it is": ({ q, k, v }) => attention(q!, k!, v!, { heads, batch: 1 }),
      MultiHeadAttention: ({ q, k, v }) => {
        const [a, b, c] = [q!, k!, v!].map((x) => reshape(x, [1, ...x.shape])) as [Value, Value, Value];
        return reshape(apply1(fused, [a, b, c], { heads }), [queries, width]);
      },
      "in 4 blocks": blocks(4),
      "in 16 blocks": blocks(16),
      "in 64 blocks": blocks(64),
    },
  };
}

/** Rows of activations and int8 weights `[in, out]` with their scale: activations are quantised as they come. */
const dynamicQuantized = define({
  kind: "dynamicQuantizedProduct",
  infer: ([a, b]: readonly Value[]) => [{ type: a!.type, shape: [a!.shape[0]!, b!.shape[1]!] }],
  emit: (emitter, inputs, outputs) => emitter.node("DynamicQuantizeMatMul", inputs, outputs, {}, contrib),
});

/** A linear layer in float32, and in int8 with one scale for all weights. */
function productTrial(rows: number, width: number, out: number): Trial {
  const weights = counterNormal(1, "weights", 0, width * out);
  const largest = weights.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const scaled = Int8Array.from(weights, (x) => Math.round((127 * x) / largest));
  const plain = constant(float32([width, out], weights));
  const small = constant({ type: "int8", shape: [width, out], data: scaled });
  return {
    name: `product ${rows} x ${width} x ${out}`,
    inputs: { x: [rows, width] },
    operations: 2 * rows * width * out,
    forms: {
      float32: ({ x }) => gemm(x!, plain),
      "int8 weights and activations": ({ x }) =>
        apply1(dynamicQuantized, [x!, small, constant(float32([], [largest / 127]))], null),
    },
  };
}

const affine = (channels: number): [Value, Value] =>
  [1, 0.1].map((x) => constant(float32([channels], new Float32Array(channels).fill(x)))) as [Value, Value];

function normTrial(channels: number, side: number): Trial {
  const groups = 32;
  const attributes = { groups, epsilon: 1e-5 };
  const length = (channels / groups) * side * side;
  const [gamma, beta] = affine(channels);
  /** Statistics from layer normalisation over a group, then one multiplication and addition. */
  const byLayerNorm = (x: Value): Value => {
    const normal = layerNorm(reshape(x, [groups, length]), ...affine(length), 1e-5);
    const column = (v: Value): Value => reshape(v, [channels, 1, 1, 1]);
    return add(mul(reshape(normal, x.shape), column(gamma)), column(beta));
  };
  const bySums = (x: Value): Value => {
    const flat = reshape(x, [groups, length]);
    const mean = scale(reduceSum(flat, [1]), 1 / length);
    const variance = sub(scale(reduceSum(mul(flat, flat), [1]), 1 / length), mul(mean, mean));
    const inverse = reciprocal(sqrt(shift(variance, 1e-5)));
    const factor = mul(reshape(gamma, [groups, channels / groups]), inverse);
    const offset = sub(reshape(beta, [groups, channels / groups]), mul(mean, factor));
    const column = (v: Value): Value => reshape(v, [channels, 1, 1, 1]);
    return add(mul(x, column(factor)), column(offset));
  };
  return {
    name: `groupNorm and SiLU ${channels} x ${side} x ${side}`,
    inputs: { x: [channels, 1, side, side] },
    operations: 0,
    forms: {
      "as it is": ({ x }) => silu(groupNorm(x!, gamma, beta, attributes)),
      "SiLU alone": ({ x }) => silu(x!),
      "group normalisation alone": ({ x }) => groupNorm(x!, gamma, beta, attributes),
      "by sums": ({ x }) => silu(groupNormOfBatch(x!, gamma, beta, attributes)),
      "by sums over groups": ({ x }) => silu(bySums(x!)),
      LayerNormalization: ({ x }) => silu(byLayerNorm(x!)),
    },
  };
}

const trials = [
  productTrial(4096, 320, 1280),
  productTrial(1024, 640, 2560),
  productTrial(256, 1280, 5120),
  attentionTrial(4096, 4096, 8, 40),
  attentionTrial(1024, 1024, 8, 80),
  attentionTrial(4096, 77, 8, 40),
  attentionTrial(4096, 4096, 1, 512),
  normTrial(320, 64),
  normTrial(1280, 16),
  normTrial(128, 512),
].filter(({ name }) => name.includes(values.only));

const tensor = (name: string, shape: readonly number[]): Tensor<"float32"> =>
  float32(
    shape,
    counterNormal(
      0,
      name,
      0,
      shape.reduce((a, b) => a * b),
    ),
  );

for (const { name, inputs, operations, forms } of trials) {
  console.log(`\n${name}`);
  const given = Object.fromEntries(Object.entries(inputs).map(([key, shape]) => [key, tensor(key, shape)]));
  let first: Float32Array | undefined;
  for (const [form, build] of Object.entries(forms)) {
    const runtime = onnxRuntime({ threads });
    try {
      const graph = build(Object.fromEntries(Object.entries(inputs).map(([key, shape]) => [key, input(key, shape)])));
      // Sums, so that the result itself is not copied out.
      const session = await runtime.compile(encode({ sums: reduceSum(graph, [graph.shape.length - 1]) }));
      let [wall, cpu] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      let sums = new Float32Array();
      for (let i = 0; i < Number(values.runs); i++) {
        const [start, used] = [performance.now(), process.cpuUsage()];
        sums = (await session.run(given))["sums"]!.data as Float32Array<ArrayBuffer>;
        wall = Math.min(wall, performance.now() - start);
        const { user, system } = process.cpuUsage(used);
        cpu = Math.min(cpu, (user + system) / 1000);
      }
      first ??= sums;
      const largest = first.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const error = sums.reduce((most, x, i) => Math.max(most, Math.abs(x - first![i]!)), 0) / largest;
      const speed = operations === 0 ? "" : `, ${(operations / (threads === 1 ? cpu : wall) / 1e6).toFixed(1)} GFLOP/s`;
      console.log(
        `  ${form.padEnd(26)} ${wall.toFixed(2)} ms${threads === 1 ? `, processor ${cpu.toFixed(2)} ms` : ""}${speed}, differs by ${error.toExponential(1)} of the largest sum`,
      );
    } catch (error) {
      console.log(`  ${form.padEnd(26)} ${(error as Error).message}`);
    } finally {
      await runtime.dispose();
    }
  }
}
