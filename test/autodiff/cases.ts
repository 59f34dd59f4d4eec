import type { Build } from "../../src/autodiff/check.ts";
import { pullback } from "../../src/autodiff/pullback.ts";
import { recompute } from "../../src/autodiff/recompute.ts";
import { add, div, mul, sub } from "../../src/graph/ops/arithmetic.ts";
import { attention } from "../../src/graph/ops/attention.ts";
import { barrier } from "../../src/graph/ops/barrier.ts";
import { type Conv2dOptions, conv2d, convolution, convTranspose } from "../../src/graph/ops/convolution.ts";
import * as elementwise from "../../src/graph/ops/elementwise.ts";
import type { OperationKind } from "../../src/graph/ops/index.ts";
import { groupNorm, groupNormOfBatch, layerNorm } from "../../src/graph/ops/normalisation.ts";
import { averagePool, maxPool } from "../../src/graph/ops/pooling.ts";
import { gemm, matmul } from "../../src/graph/ops/product.ts";
import { meanOfAll, reduceMean, reduceSum, reduceSumSquare, softmax } from "../../src/graph/ops/reduction.ts";
import { sumPool, upsample } from "../../src/graph/ops/resampling.ts";
import {
  concat,
  expand,
  gather,
  pad,
  reshape,
  reverse,
  scatterAdd,
  slice,
  transpose,
} from "../../src/graph/ops/structure.ts";
import { scalar, type Value } from "../../src/graph/value.ts";

/** A case's function, its inputs by position in the order of `cases.json`. */
type Case = (...inputs: Value[]) => Value;
type Cases = Readonly<Record<string, Case>>;

const { where, greater, detach, cast } = elementwise;
const binary = (operation: Case, ...names: string[]): Cases =>
  Object.fromEntries(names.map((name) => [name, operation]));
const broadcasts = ["same", "left", "right", "both", "scalar", "rank"];
const one = (operation: (x: Value) => Value): Cases => ({ plain: operation });
const conv =
  (options: Conv2dOptions): Case =>
  (x, w, b) =>
    conv2d(x!, w!, b, options);

/** At least one case for every kind of operation; a kind without does not compile. */
export const kinds: { readonly [K in OperationKind]: Cases } = {
  add: binary((a, b) => add(a!, b!), ...broadcasts),
  sub: binary((a, b) => sub(a!, b!), ...broadcasts),
  mul: { ...binary((a, b) => mul(a!, b!), ...broadcasts), square: (x) => mul(x!, x!) },
  div: { ...binary((a, b) => div(a!, b!), ...broadcasts), itself: (x) => div(x!, x!) },
  neg: one(elementwise.neg),
  exp: one(elementwise.exp),
  log: one(elementwise.log),
  sqrt: one(elementwise.sqrt),
  reciprocal: one(elementwise.reciprocal),
  abs: one(elementwise.abs),
  sign: one((x) => mul(elementwise.sign(x), x)),
  sin: one(elementwise.sin),
  cos: one(elementwise.cos),
  erf: one(elementwise.erf),
  sigmoid: one(elementwise.sigmoid),
  tanh: one(elementwise.tanh),
  relu: one(elementwise.relu),
  detach: one((x) => mul(x, detach(x))),
  swish: { silu: (x) => elementwise.silu(x!), quickGelu: (x) => elementwise.quickGelu(x!) },
  gelu: one(elementwise.gelu),
  cast: one((x) => cast(cast(mul(x, x), "float64"), "float32")),
  where: {
    broadcast: (c, a, b) => where(greater(c!, scalar(0)), a!, b!),
    scalar: (c, a, b) => where(greater(c!, scalar(0)), a!, b!),
  },
  greater: { plain: (a, b) => where(greater(a!, b!), mul(a!, a!), b!) },
  reduceSum: {
    last: (x) => reduceSum(x!, [-1]),
    outer: (x) => reduceSum(x!, [0, 2]),
    all: (x) => reduceSum(x!),
  },
  reduceSumSquare: { last: (x) => reduceSumSquare(x!, [-1]), all: (x) => reduceSumSquare(x!) },
  softmax: { matrix: (x) => softmax(x!), batch: (x) => softmax(x!) },
  reshape: one((x) => reshape(mul(x, x), [3, 4])),
  transpose: {
    plain: (x) => transpose(x!, [2, 0, 1]),
    chain: (x) => transpose(transpose(x!, [2, 0, 1]), [0, 2, 1]),
    ones: (x) => transpose(x!, [1, 0, 2]),
  },
  expand: { plain: (x) => expand(x!, [2, 3, 4]) },
  concat: {
    three: (a, b, c) => concat([a!, b!, c!], 1),
    twice: (a) => concat([a!, mul(a!, a!), a!], -1),
  },
  slice: one((x) => slice(x, 1, 1, 3)),
  pad: { plain: (x) => pad(x!, [1, 0, 0, 2]) },
  gather: { repeated: (table, rows) => gather(table!, rows!), matrix: (table, rows) => gather(table!, rows!) },
  scatterAdd: { repeated: (rows, updates) => scatterAdd(rows!, updates!, 4) },
  reverse: one((x) => reverse(x, 1)),
  matmul: {
    plain: (a, b) => matmul(a!, b!),
    transposeA: (a, b) => matmul(a!, b!, { transposeA: true, alpha: 0.5 }),
    transposeB: (a, b) => matmul(a!, b!, { transposeB: true, alpha: 0.5 }),
    transposeBoth: (a, b) => matmul(a!, b!, { transposeA: true, transposeB: true }),
    batchLeft: (a, b) => matmul(a!, b!),
    batchRight: (a, b) => matmul(a!, b!, { transposeB: true }),
    batchBoth: (a, b) => matmul(a!, b!),
    square: (a) => matmul(a!, a!, { transposeB: true }),
  },
  gemm: {
    plain: (a, b) => gemm(a!, b!),
    row: (a, b, c) => gemm(a!, b!, c!, { transposeB: true }),
    column: (a, b, c) => gemm(a!, b!, c!, { transposeA: true }),
    full: (a, b, c) => gemm(a!, b!, c!, { transposeA: true, transposeB: true, alpha: 0.5 }),
    scalar: (a, b, c) => gemm(a!, b!, c!),
  },
  convolution: {
    plain: (x, w) => convolution(x!, w!),
    strided: (x, w) => convolution(x!, w!, { strides: [2, 1], pads: [1, 0, 0, 2] }),
    groups: (x, w) => convolution(x!, w!, { groups: 2, pads: [1, 1, 1, 1] }),
    dilated: (x, w) => convolution(x!, w!, { dilations: [2, 1] }),
    line: (x, w) => convolution(x!, w!, { strides: [2] }),
  },
  convTranspose: {
    strided: (y, w) =>
      convTranspose(y!, w!, { strides: [2, 2], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1, size: [6, 5] }),
    groups: (y, w) =>
      convTranspose(y!, w!, { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 2, size: [5, 4] }),
  },
  conv2d: {
    kernel3: conv({ padding: 1 }),
    kernel3batch: conv({ padding: 1 }),
    kernel3bare: conv({}),
    stride2: conv({ stride: 2, padding: 1 }),
    stride2batch: conv({ stride: 2, padding: 1 }),
    stride2surplus: conv({ stride: 2 }),
    lower: conv({ stride: 2, padding: [0, 0, 1, 1] }),
    asymmetric: conv({ padding: [2, 0, 1, 1] }),
    groups2: conv({ padding: 1, groups: 2 }),
    groups2stride2: conv({ stride: 2, padding: 1, groups: 2 }),
    kernel4: conv({ padding: [1, 2, 2, 1] }),
    kernel4stride2: conv({ stride: 2, padding: 1 }),
    kernel1: conv({}),
    kernel1stride2: conv({ stride: 2 }),
    kernel1padded: conv({ padding: [1, 0, 2, 1] }),
    overPadded: conv({ padding: 3 }),
    oblong: conv({ padding: [0, 1, 0, 1] }),
  },
  upsample: one(upsample),
  sumPool: one(sumPool),
  maxPool: {
    partial: (x) => maxPool(x!, { kernel: 3, stride: 2, partial: true }),
    padded: (x) => maxPool(x!, { kernel: 3, stride: 1, padding: 1 }),
  },
  averagePool: {
    plain: (x) => averagePool(x!, { kernel: 2, stride: 2 }),
    padded: (x) => averagePool(x!, { kernel: 3, stride: 1, padding: 1 }),
  },
  layerNorm: {
    matrix: (x, g, b) => layerNorm(x!, g!, b!, 1e-5),
    batch: (x, g, b) => layerNorm(x!, g!, b!, 1e-3),
    vector: (x, g, b) => layerNorm(x!, g!, b!, 1e-5),
  },
  groupNorm: {
    one: (x, g, b) => groupNorm(x!, g!, b!, { groups: 2, epsilon: 1e-5 }),
    each: (x, g, b) => groupNorm(x!, g!, b!, { groups: 4, epsilon: 1e-3 }),
  },
  barrier: { plain: (x, after) => mul(barrier(x!, after!), x!) },
  recompute: {
    plain: (x, w) => recompute([x!], ([z]) => elementwise.silu(matmul(z!, w!))),
    twoInputs: (x, y) => recompute([x!, y!, x!], ([a, b, c]) => mul(mul(a!, b!), elementwise.tanh(c!))),
    sharedWeight: (x, w) => recompute([matmul(x!, w!)], ([z]) => elementwise.tanh(add(matmul(z!, w!), x!))),
    nested: (x, w) => {
      const layer = (z: Value): Value => elementwise.silu(matmul(z, w!));
      return recompute([x!, x!], ([z, again]) => {
        const inner = layer(z!);
        return layer(recompute([inner, inner], ([a, b]) => mul(add(a!, mul(again!, z!)), elementwise.tanh(b!))));
      });
    },
  },
};

/** The gradient of sum f(x)^2 with respect to the first input, as a function of all inputs. */
const slope =
  (f: Case): Case =>
  (...inputs) => {
    const y = f(...inputs);
    return pullback([y], [mul(y, scalar(2))], [inputs[0]!])[0]!;
  };
const { kernel3batch, stride2batch, groups2 } = kinds.conv2d as Readonly<Record<string, Case>>;

/** Functions of several operations. */
export const compositions: Readonly<Record<string, Cases>> = {
  sharedUse: {
    sum: (x) => add(x!, x!),
    diamond: (x) => mul(elementwise.sigmoid(x!), add(x!, elementwise.tanh(x!))),
    levels: (x) => add(mul(x!, reduceSum(x!, [1])), reduceSum(mul(x!, x!), [0])),
  },
  reduceMean: { last: (x) => reduceMean(x!, [-1]), all: (x) => meanOfAll(mul(x!, x!)) },
  pointwise: { plain: conv({}), batch: conv({}) },
  smallPlanes: { square: conv({ padding: 1 }), oblong: conv({ padding: 1 }), bare: conv({ padding: 1 }) },
  groupNormOfItself: {
    // The weight is also behind the input: its gradient has two paths.
    one: (x, g, b) => groupNorm(mul(x!, reshape(g!, [4, 1, 1, 1])), g!, b!, { groups: 2, epsilon: 1e-5 }),
  },
  groupNormOfBatch: {
    three: (x, g, b) => groupNorm(x!, g!, b!, { groups: 2, epsilon: 1e-5 }),
    one: (x, g, b) => groupNormOfBatch(x!, g!, b!, { groups: 2, epsilon: 1e-5 }),
  },
  attention: {
    self: (x) => attention(x!, x!, x!, { heads: 2, batch: 1 }),
    cross: (q, k, v) => attention(q!, k!, v!, { heads: 2, batch: 2 }),
    masked: (q, k, v, mask) => attention(q!, k!, v!, { heads: 2, batch: 2, mask: mask! }),
    maskedPerHead: (q, k, v, mask) => attention(q!, k!, v!, { heads: 2, batch: 2, mask: mask! }),
  },
  zeroSize: {
    unused: (x) => mul(x!, x!),
    concat: (x, empty) => concat([x!, mul(empty!, empty!)], 0),
    innerProduct: (a, b) => matmul(a!, b!),
    gemm: (a, b, c) => gemm(a!, b!, c!),
    sum: (x, empty) => add(x!, reduceSum(empty!, [0])),
    gather: (table, rows) => gather(table!, rows!),
    slice: (x) => concat([x!, slice(x!, 0, 1, 1)], 0),
  },
  secondOrder: {
    square: slope((x) => mul(x!, x!)),
    division: slope((x, y) => div(y!, x!)),
    silu: slope((x) => elementwise.silu(x!)),
    gelu: slope((x) => elementwise.gelu(x!)),
    softmax: slope((x) => softmax(x!)),
    matmul: slope((a, b) => matmul(a!, b!, { transposeB: true })),
    layerNorm: slope((x, g, b) => layerNorm(x!, g!, b!, 1e-5)),
    groupNorm: slope((x, g, b) => groupNorm(x!, g!, b!, { groups: 2, epsilon: 1e-5 })),
    conv2d: slope(kernel3batch!),
    smallPlanes: slope(conv({ padding: 1 })),
    conv2dStride2: slope(stride2batch!),
    conv2dGroups: slope(groups2!),
    attention: slope((q, k, v) => attention(q!, k!, v!, { heads: 2, batch: 2 })),
    recompute: slope((x, w) => recompute([x!], ([z]) => elementwise.silu(matmul(z!, w!)))),
    gather: slope((table, rows) => gather(table!, rows!)),
  },
};

/** Gradients that are not those of the function by design, so that finite differences do not apply. */
export const cutGradients: ReadonlySet<string> = new Set(["detach/plain"]);

/** A case as a function of named inputs. */
export const buildOf =
  (run: Case, names: readonly string[]): Build =>
  (inputs) =>
    run(...names.map((name) => inputs[name]!));
