/**
 * Peak memory and time of one training step of a deep convolutional network, with and without recomputation.
 *
 *     node --import tsx bench/recompute.ts [blocks] [channels] [size]
 *
 * Each measurement is a process of its own, whose peak resident memory the system reports; a process that only compiles
 * and runs the forward pass is the floor.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { backward } from "../src/autodiff/backward.ts";
import { recompute } from "../src/autodiff/recompute.ts";
import { encode } from "../src/graph/encode.ts";
import { add, mul } from "../src/graph/ops/arithmetic.ts";
import { conv2d } from "../src/graph/ops/convolution.ts";
import { silu } from "../src/graph/ops/elementwise.ts";
import { groupNorm } from "../src/graph/ops/normalisation.ts";
import { meanOfAll } from "../src/graph/ops/reduction.ts";
import { input, type Value } from "../src/graph/value.ts";
import { onnxRuntime } from "../src/runtime/onnx-runtime.ts";
import { elementCount, type Tensor } from "../src/tensor/tensor.ts";

const modes = ["forward", "kept", "recomputed"] as const;
type Mode = (typeof modes)[number];

interface Network {
  readonly blocks: number;
  readonly channels: number;
  readonly size: number;
}

interface Measurement {
  readonly loss: number;
  readonly gradientSum: number;
  readonly seconds: number;
  readonly peakMegabytes: number;
}

/** Residual blocks of two normalised convolutions, as in a U-Net, over maps `[channels, 2, size, size]`. */
function step(mode: Mode, { blocks, channels, size }: Network): { outputs: Record<string, Value>; inputs: Value[] } {
  const x = input("x", [channels, 2, size, size]);
  const parameters: Value[] = [];
  const parameter = (shape: readonly number[]): Value => {
    const value = input(`p${parameters.length}`, shape);
    parameters.push(value);
    return value;
  };
  const halfOf = (h: Value): Value => {
    const normal = groupNorm(h, parameter([channels]), parameter([channels]), { groups: 8, epsilon: 1e-5 });
    return conv2d(silu(normal), parameter([channels, channels, 3, 3]), parameter([channels]), { padding: 1 });
  };
  const block = (h: Value): Value => add(h, halfOf(halfOf(h)));
  let h = x;
  for (let i = 0; i < blocks; i++) h = mode === "recomputed" ? recompute([h], ([z]) => block(z!)) : block(h);
  const loss = meanOfAll(mul(h, h));
  const gradients = mode === "forward" ? [] : backward(loss, parameters);
  return {
    inputs: [x, ...parameters],
    outputs: { loss, ...Object.fromEntries(gradients.map((gradient, i) => [`d${i}`, gradient])) },
  };
}

/** Fixed values that fill a tensor with a spread that keeps the network's activations near one. */
function filling({ shape, source }: Value, number: number): [string, Tensor] {
  const fanIn = shape.length === 4 && source.kind === "input" && source.name !== "x" ? elementCount(shape.slice(1)) : 1;
  const data = new Float32Array(elementCount(shape)).map((_, i) => Math.sin(i * 12.9898 + number) / Math.sqrt(fanIn));
  return [source.kind === "input" ? source.name : "", { type: "float32", shape, data }];
}

async function measure(mode: Mode, network: Network): Promise<Measurement> {
  const { inputs, outputs } = step(mode, network);
  const runtime = onnxRuntime({ threads: 2 });
  const session = await runtime.compile(encode(outputs));
  const feeds = Object.fromEntries(inputs.map(filling));
  await session.run(feeds);
  const start = performance.now();
  const results = await session.run(feeds);
  const seconds = (performance.now() - start) / 1000;
  let gradientSum = 0;
  for (const [name, { data }] of Object.entries(results)) {
    if (name !== "loss") for (const value of data as Float32Array) gradientSum += Math.abs(value);
  }
  await runtime.dispose();
  const loss = Number(results["loss"]!.data[0]);
  return { loss, gradientSum, seconds, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
}

const [first, ...rest] = process.argv.slice(2);
const numbersFrom = (texts: readonly string[]): Network => {
  const [blocks = 12, channels = 64, size = 64] = texts.map(Number);
  return { blocks, channels, size };
};
if (modes.some((mode) => mode === first)) {
  process.stdout.write(JSON.stringify(await measure(first as Mode, numbersFrom(rest))));
} else {
  const network = numbersFrom(process.argv.slice(2));
  const { blocks, channels, size } = network;
  console.log(`${blocks} blocks, ${channels} channels, ${size}x${size}, batch 2`);
  for (const mode of modes) {
    const argv = [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      mode,
      String(blocks),
      String(channels),
      String(size),
    ];
    const { loss, gradientSum, seconds, peakMegabytes } = JSON.parse(
      execFileSync(process.execPath, argv, { encoding: "utf8" }),
    ) as Measurement;
    console.log(
      `${mode.padEnd(10)}  peak ${peakMegabytes.toFixed(0).padStart(5)} MB  step ${seconds.toFixed(2)} s  loss ${loss.toPrecision(8)}  sum |gradients| ${gradientSum.toPrecision(8)}`,
    );
  }
}
