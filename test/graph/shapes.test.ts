import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { ShapeError } from "../../src/errors.ts";
import { encode } from "../../src/graph/encode.ts";
import { add, div, mul, sub } from "../../src/graph/ops/arithmetic.ts";
import { conv2d, convolution } from "../../src/graph/ops/convolution.ts";
import { groupNorm } from "../../src/graph/ops/normalisation.ts";
import { averagePool, maxPool } from "../../src/graph/ops/pooling.ts";
import { matmul } from "../../src/graph/ops/product.ts";
import { reduceSum, reduceSumSquare, softmax } from "../../src/graph/ops/reduction.ts";
import { sumPool, upsample } from "../../src/graph/ops/resampling.ts";
import { concat, expand, gather, pad, reshape, reverse, slice, transpose } from "../../src/graph/ops/structure.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { elementCount, type Tensor } from "../../src/tensor/tensor.ts";

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** A graph over fresh inputs of given shapes. */
type Plan = { readonly shapes: readonly (readonly number[])[]; readonly build: (inputs: readonly Value[]) => Value };

/** Builds all plans into one model and compares the shapes and types that were inferred with what the runtime gives. */
async function expectInferred(plans: readonly Plan[]): Promise<void> {
  const feeds: Record<string, Tensor> = {};
  const outputs: Record<string, Value> = {};
  plans.forEach(({ shapes, build }, number) => {
    const inputs = shapes.map((shape, i) => {
      const name = `x${number}.${i}`;
      feeds[name] = { type: "float32", shape, data: new Float32Array(elementCount(shape)).fill(0.5) };
      return input(name, shape);
    });
    outputs[`y${number}`] = build(inputs);
  });
  const session = await runtime.compile(encode(outputs));
  const results = await session.run(feeds);
  await session.dispose();
  const shapesOf = (of: Readonly<Record<string, Tensor | Value>>): unknown =>
    Object.fromEntries(Object.entries(of).map(([name, { type, shape }]) => [name, { type, shape }]));
  expect(shapesOf(results)).toEqual(shapesOf(outputs));
}

const size = fc.integer({ min: 1, max: 4 });
const sizeOrNone = fc.integer({ min: 0, max: 3 });
const shape = (least: number, most: number, dimension = size): fc.Arbitrary<number[]> =>
  fc.array(dimension, { minLength: least, maxLength: most });

/** Two shapes that broadcast: axes of the whole left out in front or set to 1. */
const broadcasting = fc
  .tuple(shape(0, 4, sizeOrNone), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), fc.nat(4), fc.nat(4))
  .map(([whole, ones, dropA, dropB]) => {
    const part = (drop: number, from: number): number[] =>
      whole.map((n, i) => (ones[from + i] ? 1 : n)).slice(Math.min(drop, whole.length));
    return [part(dropA, 0), part(dropB, 4)] as const;
  });

const binary: fc.Arbitrary<Plan> = fc
  .tuple(fc.constantFrom(add, sub, mul, div), broadcasting)
  .map(([operation, shapes]) => ({ shapes, build: ([a, b]) => operation(a!, b!) }));

const reductions: fc.Arbitrary<Plan> = fc
  .tuple(fc.constantFrom(reduceSum, reduceSumSquare), shape(1, 4, sizeOrNone), fc.array(fc.nat(3), { maxLength: 4 }))
  .map(([operation, of, axes]) => ({
    shapes: [of],
    build: ([x]) => operation(x!, [...new Set(axes.map((axis) => axis % of.length))]),
  }));

const structure: fc.Arbitrary<Plan> = fc.tuple(shape(1, 4), fc.nat(1000), fc.nat(1000)).chain(([of, m, n]) => {
  const axis = m % of.length;
  const begin = n % of[axis]!;
  const order = of.map((_, i) => (i + m) % of.length);
  return fc
    .constantFrom<Plan["build"]>(
      ([x]) => slice(x!, axis, begin, of[axis]!),
      ([x]) =>
        pad(
          x!,
          Array.from({ length: 2 * of.length }, (_, i) => (n + i) % 3),
        ),
      ([x]) => transpose(x!, order),
      ([x]) => reshape(mul(x!, x!), [elementCount(of), 1]),
      ([x]) => expand(x!, [n % 4, ...of]),
      ([x]) => concat([x!, slice(x!, axis, begin, begin), x!], axis),
      ([x]) => reverse(x!, axis),
      ([x]) => softmax(x!),
    )
    .map((build) => ({ shapes: [of], build }));
});

const products: fc.Arbitrary<Plan> = fc
  .tuple(fc.record({ m: size, k: size, n: size }), broadcasting, fc.boolean(), fc.boolean())
  .map(
    ([{ m, k, n }, [a, b], transposeA, transposeB]): Plan => ({
      shapes: [
        [...a, ...(transposeA ? [k, m] : [m, k])],
        [...b, ...(transposeB ? [n, k] : [k, n])],
      ],
      build: ([x, y]) => matmul(x!, y!, { transposeA, transposeB }),
    }),
  )
  .filter(({ shapes }) => shapes.every((of) => elementCount(of) > 0));

const convolutions: fc.Arbitrary<Plan> = fc
  .record({
    groups: fc.integer({ min: 1, max: 2 }),
    each: size,
    out: size,
    batch: size,
    height: fc.integer({ min: 1, max: 7 }),
    width: fc.integer({ min: 1, max: 7 }),
    kh: size,
    kw: size,
    stride: fc.integer({ min: 1, max: 3 }),
    pads: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
    raw: fc.boolean(),
  })
  .filter(({ height, width, kh, kw, pads: [t, l, b, r] }) => height + t + b >= kh && width + l + r >= kw)
  .map(({ groups, each, out, batch, height, width, kh, kw, stride, pads, raw }) => {
    const channels = groups * each;
    const kernel = [groups * out, each, kh, kw];
    return raw
      ? {
          shapes: [[batch, channels, height, width], kernel],
          build: ([x, w]) => convolution(x!, w!, { groups, pads, strides: [stride, 1] }),
        }
      : {
          shapes: [[channels, batch, height, width], kernel, [groups * out]],
          build: ([x, w, b]) => conv2d(x!, w!, b, { groups, padding: pads, stride }),
        };
  });

const maps: fc.Arbitrary<Plan> = fc.tuple(size, size, size, size).chain(([c, n, h, w]) =>
  fc.constantFrom<Plan>(
    { shapes: [[c, n, h, w]], build: ([x]) => upsample(x!) },
    { shapes: [[c, n, 2 * h, 2 * w]], build: ([x]) => sumPool(x!) },
    { shapes: [[c, n, h + 2, w + 2]], build: ([x]) => maxPool(x!, { kernel: 3, stride: 2, partial: true }) },
    { shapes: [[c, n, h, w]], build: ([x]) => averagePool(x!, { kernel: 3, stride: 1, padding: 1 }) },
    {
      shapes: [[2 * c, n, h, w], [2 * c], [2 * c]],
      build: ([x, g, b]) => groupNorm(x!, g!, b!, { groups: 2, epsilon: 1e-5 }),
    },
  ),
);

describe("inferred shapes are those that the runtime gives", () => {
  test.each(Object.entries({ binary, reductions, structure, products, convolutions, maps }))("%s", async (_, plan) => {
    await fc.assert(fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 12 }), expectInferred), {
      numRuns: 12,
      seed: 3,
    });
  });

  test("gather", async () => {
    const plan = fc.tuple(shape(1, 3), shape(0, 3, sizeOrNone)).map(([table, indices]) => ({ table, indices }));
    await fc.assert(
      fc.asyncProperty(plan, async ({ table, indices }) => {
        const y = gather(input("table", table), input("rows", indices, "int64"));
        const session = await runtime.compile(encode({ y }));
        const results = await session.run({
          table: { type: "float32", shape: table, data: new Float32Array(elementCount(table)) },
          rows: { type: "int64", shape: indices, data: new BigInt64Array(elementCount(indices)) },
        });
        await session.dispose();
        expect(results["y"]!.shape).toEqual(y.shape);
      }),
      { numRuns: 20, seed: 3 },
    );
  });
});

test("shapes either broadcast to the larger size of each axis or are refused", () => {
  fc.assert(
    fc.property(shape(0, 4), shape(0, 4), (a, b) => {
      const rank = Math.max(a.length, b.length);
      const at = (of: number[], i: number): number => of[of.length - rank + i] ?? 1;
      const axes = Array.from({ length: rank }, (_, i) => [at(a, i), at(b, i)] as const);
      const build = (): Value => add(input("a", a), input("b", b));
      if (axes.every(([m, n]) => m === n || m === 1 || n === 1)) {
        expect(build().shape).toEqual(axes.map(([m, n]) => Math.max(m, n)));
      } else {
        expect(build).toThrow(ShapeError);
      }
    }),
    { seed: 3 },
  );
});
