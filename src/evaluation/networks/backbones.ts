import { relu } from "../../graph/ops/elementwise.ts";
import { maxPool } from "../../graph/ops/pooling.ts";
import { concat } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../../models/layers.ts";

/** torchvision's classifiers that perceptual distances are built on: SqueezeNet 1.1, AlexNet and VGG-16. */
export type BackboneName = "squeeze" | "alex" | "vgg";

export const backboneNames: readonly BackboneName[] = ["squeeze", "alex", "vgg"];

/** One entry of torchvision's `features`, under its number. */
type Layer =
  | {
      readonly kind: "conv";
      readonly out: number;
      readonly kernel: number;
      readonly stride?: number;
      readonly padding?: number;
    }
  | { readonly kind: "relu" }
  | { readonly kind: "pool"; readonly kernel: number }
  | { readonly kind: "fire"; readonly squeeze: number; readonly expand: number };

interface Backbone {
  readonly layers: readonly Layer[];
  /** Numbers of the layers whose maps LPIPS compares. */
  readonly taps: readonly number[];
}

const conv = (out: number, kernel: number, padding = 0, stride = 1): Layer => ({
  kind: "conv",
  out,
  kernel,
  padding,
  stride,
});
const rectify: Layer = { kind: "relu" };
const pool = (kernel: number): Layer => ({ kind: "pool", kernel });
const fire = (squeeze: number, expand: number): Layer => ({ kind: "fire", squeeze, expand });
const same = (...widths: number[]): Layer[] => widths.flatMap((width) => [conv(width, 3, 1), rectify]);

const backbones: Readonly<Record<BackboneName, Backbone>> = {
  squeeze: {
    layers: [
      conv(64, 3, 0, 2),
      rectify,
      pool(3),
      fire(16, 64),
      fire(16, 64),
      pool(3),
      fire(32, 128),
      fire(32, 128),
      pool(3),
      fire(48, 192),
      fire(48, 192),
      fire(64, 256),
      fire(64, 256),
    ],
    taps: [1, 4, 7, 9, 10, 11, 12],
  },
  alex: {
    layers: [conv(64, 11, 2, 4), rectify, pool(3), conv(192, 5, 2), rectify, pool(3), ...same(384, 256, 256)],
    taps: [1, 4, 7, 9, 11],
  },
  vgg: {
    layers: [
      ...same(64, 64),
      pool(2),
      ...same(128, 128),
      pool(2),
      ...same(256, 256, 256),
      pool(2),
      ...same(512, 512, 512),
      pool(2),
      ...same(512, 512, 512),
    ],
    taps: [3, 8, 15, 22, 29],
  },
};

/** The least height and width that every layer has something of. */
export const leastBackboneSize: Readonly<Record<BackboneName, number>> = { squeeze: 17, alex: 31, vgg: 16 };

function run(layers: Layers, name: string, layer: Layer, x: Value, partial: boolean): Value {
  switch (layer.kind) {
    case "conv":
      return layers.conv(name, x, layer.out, layer);
    case "relu":
      return relu(x);
    case "pool":
      return maxPool(x, { kernel: layer.kernel, stride: 2, partial });
    case "fire": {
      const at = layers.at(name);
      const narrow = relu(at.conv("squeeze", x, layer.squeeze));
      const wide = [
        at.conv("expand1x1", narrow, layer.expand),
        at.conv("expand3x3", narrow, layer.expand, { kernel: 3, padding: 1 }),
      ];
      return relu(concat(wide, 0));
    }
  }
}

/**
 * The maps of a backbone that LPIPS compares, from the picture inwards, each `[channels, batch, height, width]`.
 * @param layers by torchvision's names, e.g. `features.0.weight`
 * @param pictures maps `[3, batch, height, width]`, normalised as ImageNet's pictures
 * @throws ShapeError when the pictures are too small
 */
export function backboneMaps(layers: Layers, name: BackboneName, pictures: Value): Value[] {
  const { layers: all, taps } = backbones[name];
  const features = layers.at("features");
  const maps: Value[] = [];
  let x = pictures;
  // SqueezeNet's pools count a last window that reaches beyond the map.
  for (const [i, layer] of all.entries()) {
    x = within(`features.${i}`, () => run(features, String(i), layer, x, name === "squeeze"));
    if (taps.includes(i)) maps.push(x);
  }
  return maps;
}

/** Channels of the maps that LPIPS compares. */
export const tapWidths: Readonly<Record<BackboneName, readonly number[]>> = {
  squeeze: [64, 128, 256, 384, 384, 512, 512],
  alex: [64, 192, 384, 256, 256],
  vgg: [64, 128, 256, 512, 512],
};
