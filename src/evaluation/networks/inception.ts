import { relu } from "../../graph/ops/elementwise.ts";
import { averagePool, maxPool } from "../../graph/ops/pooling.ts";
import { matmul } from "../../graph/ops/product.ts";
import { reduceMean } from "../../graph/ops/reduction.ts";
import { concat, reshape, transpose } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../../models/layers.ts";
import { batchNormedConv } from "./batch-normed.ts";

/** Height and width that the network takes. */
export const inceptionSize = 299;
/** Numbers that it makes of a picture. */
export const inceptionWidth = 2048;
/** Classes of the network of 2015, of which 1000 are ImageNet's. */
export const inceptionClasses = 1008;

interface Window {
  readonly kernel?: number | readonly [height: number, width: number];
  readonly stride?: number;
  readonly padding?: number | readonly [height: number, width: number];
}

/** A convolution without bias, batch normalisation by stored statistics folded into it, and a ReLU. */
function unit(
  layers: Layers,
  name: string,
  x: Value,
  out: number,
  { kernel = 1, stride = 1, padding = 0 }: Window = {},
): Value {
  return within(name, () => {
    const at = layers.at(name);
    const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const [top, left] = typeof padding === "number" ? [padding, padding] : padding;
    const weight = at.parameter("conv.weight", [out, x.shape[0]!, kh, kw]);
    return relu(batchNormedConv(at, x, weight, "bn", { stride, padding: [top, left, top, left] }));
  });
}

/** Units one after the other. */
const chain = (
  layers: Layers,
  x: Value,
  units: readonly (readonly [name: string, out: number, window?: Window])[],
): Value => units.reduce((hidden, [name, out, window]) => unit(layers, name, hidden, out, window), x);

const three: Window = { kernel: 3, padding: 1 };
const pooled = (x: Value): Value => averagePool(x, { kernel: 3, stride: 1, padding: 1 });
const halved = (x: Value): Value => maxPool(x, { kernel: 3, stride: 2 });

function mixed5(layers: Layers, x: Value, poolWidth: number): Value {
  return concat(
    [
      unit(layers, "branch1x1", x, 64),
      chain(layers, x, [
        ["branch5x5_1", 48],
        ["branch5x5_2", 64, { kernel: 5, padding: 2 }],
      ]),
      chain(layers, x, [
        ["branch3x3dbl_1", 64],
        ["branch3x3dbl_2", 96, three],
        ["branch3x3dbl_3", 96, three],
      ]),
      unit(layers, "branch_pool", pooled(x), poolWidth),
    ],
    0,
  );
}

function mixed6a(layers: Layers, x: Value): Value {
  const half: Window = { kernel: 3, stride: 2 };
  return concat(
    [
      unit(layers, "branch3x3", x, 384, half),
      chain(layers, x, [
        ["branch3x3dbl_1", 64],
        ["branch3x3dbl_2", 96, three],
        ["branch3x3dbl_3", 96, half],
      ]),
      halved(x),
    ],
    0,
  );
}

const row: Window = { kernel: [1, 7], padding: [0, 3] };
const column: Window = { kernel: [7, 1], padding: [3, 0] };

function mixed6(layers: Layers, x: Value, width: number): Value {
  return concat(
    [
      unit(layers, "branch1x1", x, 192),
      chain(layers, x, [
        ["branch7x7_1", width],
        ["branch7x7_2", width, row],
        ["branch7x7_3", 192, column],
      ]),
      chain(layers, x, [
        ["branch7x7dbl_1", width],
        ["branch7x7dbl_2", width, column],
        ["branch7x7dbl_3", width, row],
        ["branch7x7dbl_4", width, column],
        ["branch7x7dbl_5", 192, row],
      ]),
      unit(layers, "branch_pool", pooled(x), 192),
    ],
    0,
  );
}

function mixed7a(layers: Layers, x: Value): Value {
  const half: Window = { kernel: 3, stride: 2 };
  return concat(
    [
      chain(layers, x, [
        ["branch3x3_1", 192],
        ["branch3x3_2", 320, half],
      ]),
      chain(layers, x, [
        ["branch7x7x3_1", 192],
        ["branch7x7x3_2", 192, row],
        ["branch7x7x3_3", 192, column],
        ["branch7x7x3_4", 192, half],
      ]),
      halved(x),
    ],
    0,
  );
}

/** The last block pools by maximum where the first pools by mean: so it is in the network of 2015, and nowhere else. */
function mixed7(layers: Layers, x: Value, pool: (x: Value) => Value): Value {
  const split = (from: Value, name: string): Value[] => [
    unit(layers, `${name}a`, from, 384, { kernel: [1, 3], padding: [0, 1] }),
    unit(layers, `${name}b`, from, 384, { kernel: [3, 1], padding: [1, 0] }),
  ];
  return concat(
    [
      unit(layers, "branch1x1", x, 320),
      ...split(unit(layers, "branch3x3_1", x, 384), "branch3x3_2"),
      ...split(
        chain(layers, x, [
          ["branch3x3dbl_1", 448],
          ["branch3x3dbl_2", 384, three],
        ]),
        "branch3x3dbl_3",
      ),
      unit(layers, "branch_pool", pool(x), 192),
    ],
    0,
  );
}

export interface InceptionOutput {
  /** The last maps' means, `[batch, 2048]`: what the Frechet inception distance compares. */
  readonly features: Value;
  /** Scores of the 1008 classes without their biases, `[batch, 1008]`: what the inception score takes. */
  readonly logits: Value;
}

/**
 * Inception v3 of December 2015 (`pt_inception-2015-12-05`, Szegedy et al., arXiv:1512.00567), as the Frechet inception
 * distance is defined on it: its average pools leave padding out, and its last block pools by maximum.
 * @param pictures maps `[3, batch, 299, 299]`, about [-1, 1]
 * @throws ShapeError
 */
export function inception(layers: Layers, pictures: Value): InceptionOutput {
  let x = chain(layers, pictures, [
    ["Conv2d_1a_3x3", 32, { kernel: 3, stride: 2 }],
    ["Conv2d_2a_3x3", 32, { kernel: 3 }],
    ["Conv2d_2b_3x3", 64, three],
  ]);
  x = chain(layers, halved(x), [
    ["Conv2d_3b_1x1", 80],
    ["Conv2d_4a_3x3", 192, { kernel: 3 }],
  ]);
  const blocks: readonly (readonly [name: string, build: (at: Layers, x: Value) => Value])[] = [
    ["Mixed_5b", (at, x) => mixed5(at, x, 32)],
    ["Mixed_5c", (at, x) => mixed5(at, x, 64)],
    ["Mixed_5d", (at, x) => mixed5(at, x, 64)],
    ["Mixed_6a", mixed6a],
    ["Mixed_6b", (at, x) => mixed6(at, x, 128)],
    ["Mixed_6c", (at, x) => mixed6(at, x, 160)],
    ["Mixed_6d", (at, x) => mixed6(at, x, 160)],
    ["Mixed_6e", (at, x) => mixed6(at, x, 192)],
    ["Mixed_7a", mixed7a],
    ["Mixed_7b", (at, x) => mixed7(at, x, pooled)],
    ["Mixed_7c", (at, x) => mixed7(at, x, (y) => maxPool(y, { kernel: 3, stride: 1, padding: 1 }))],
  ];
  x = blocks.reduce((hidden, [name, build]) => within(name, () => build(layers.at(name), hidden)), halved(x));
  const [width, batch] = x.shape as [number, number];
  const features = transpose(reshape(reduceMean(x, [2, 3]), [width, batch]), [1, 0]);
  const classes = layers.parameter("fc.weight", [inceptionClasses, width]);
  return { features, logits: matmul(features, classes, { transposeB: true }) };
}
