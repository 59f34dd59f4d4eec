import { describe, expect, test } from "vitest";
import { encode } from "../graph/encode.ts";
import type { Operation } from "../graph/operation.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { conv2d } from "../graph/ops/convolution.ts";
import { silu } from "../graph/ops/elementwise.ts";
import { groupNorm } from "../graph/ops/normalisation.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { operationsInOrder } from "../graph/order.ts";
import { input, type Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { backward } from "./backward.ts";
import { recompute } from "./recompute.ts";

const channels = 8;
const blocks = 3;

interface Step {
  readonly loss: Value;
  readonly gradients: readonly Value[];
  readonly inputs: readonly Value[];
  /** Results of the blocks' first computation. */
  readonly blockResults: readonly Value[];
}

function network(again: boolean): Step {
  const x = input("x", [channels, 2, 6, 6]);
  const parameters: Value[] = [];
  const parameter = (shape: readonly number[]): Value => {
    const value = input(`p${parameters.length}`, shape);
    parameters.push(value);
    return value;
  };
  const block = (h: Value): Value => {
    const normal = groupNorm(h, parameter([channels]), parameter([channels]), { groups: 2, epsilon: 1e-5 });
    return add(h, conv2d(silu(normal), parameter([channels, channels, 3, 3]), parameter([channels]), { padding: 1 }));
  };
  const blockResults: Value[] = [];
  let h = x;
  for (let i = 0; i < blocks; i++) {
    h = again ? recompute([h], ([z]) => block(z!)) : block(h);
    blockResults.push(h);
  }
  const loss = meanOfAll(mul(h, h));
  return { loss, gradients: backward(loss, [x, ...parameters]), inputs: [x, ...parameters], blockResults };
}

const feed = ({ shape, source }: Value, number: number): [string, Tensor] => [
  source.kind === "input" ? source.name : "",
  float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(i * 12.9898 + number)),
  ),
];

async function run({ loss, gradients, inputs }: Step): Promise<Readonly<Record<string, Tensor>>> {
  const runtime = onnxRuntime({ threads: 1 });
  const outputs = { loss, ...Object.fromEntries(gradients.map((gradient, i) => [`d${i}`, gradient])) };
  const session = await runtime.compile(encode(outputs));
  const results = await session.run(Object.fromEntries(inputs.map(feed)));
  await runtime.dispose();
  return results;
}

const count = (operations: readonly Operation[], kind: string): number =>
  operations.filter((operation) => operation.kind === kind).length;

describe("recompute", () => {
  test("gives the very gradients of the sub-graph that is kept", async () => {
    const [kept, again] = [await run(network(false)), await run(network(true))];
    expect(Object.keys(again)).toEqual(Object.keys(kept));
    for (const [name, { data, shape }] of Object.entries(kept)) {
      expect(again[name]!.shape).toEqual(shape);
      expect(again[name]!.data, name).toEqual(data);
    }
  });

  test("keeps no inner value: the backward pass reads copies that wait for the gradient", () => {
    const step = network(true);
    const forward = new Set(operationsInOrder([step.loss]));
    const ends = new Set<Value>([...step.inputs, ...step.blockResults]);
    for (const operation of operationsInOrder(step.gradients)) {
      if (forward.has(operation)) continue;
      for (const { source } of operation.inputs) {
        if (source.kind !== "operation" || !forward.has(source.operation)) continue;
        // Results of blocks, weights in another shape, and the loss: nothing of the size of a map beside.
        const value = source.operation.outputs[source.index]!;
        expect(ends.has(value) || elementCount(value.shape) <= channels, source.operation.kind).toBe(true);
      }
    }
    const kept = operationsInOrder(network(false).gradients);
    const all = operationsInOrder(step.gradients);
    expect(count(all, "barrier")).toBe(blocks);
    // The activation is computed again; the convolution is not, since no gradient needs its result.
    expect(count(all, "swish") - count(kept, "swish")).toBe(blocks);
    expect(count(all, "conv2d")).toBe(count(kept, "conv2d"));
  });

  test("raises the body's errors at their place", () => {
    const x = input("x", [2, 3]);
    const body = ([z]: readonly Value[]): Value => within("mid", () => add(z!, input("y", [4])));
    expect(() => within("unet", () => recompute([x], body))).toThrow(
      "unet.mid: add expects shapes that broadcast, but was given [2, 3] and [4]",
    );
  });
});
