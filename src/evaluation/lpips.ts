import { CheckpointError, UsageError } from "../errors.ts";
import { add, div, mul, shift, sub } from "../graph/ops/arithmetic.ts";
import { sqrt } from "../graph/ops/elementwise.ts";
import { reduceMean, reduceSum, reduceSumSquare } from "../graph/ops/reduction.ts";
import { reshape } from "../graph/ops/structure.ts";
import { encodePrepared } from "../graph/prepare.ts";
import { constant, input, scalar, type Value } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { swapBatchAndChannels } from "../models/maps.ts";
import type { RunOptions, Runtime, Session } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { type BackboneName, backboneMaps, backboneNames, leastBackboneSize, tapWidths } from "./networks/backbones.ts";
import { type MeasureWeights, measureParameters } from "./weights.ts";

/** Mean and deviation of ImageNet's pictures on [-1, 1], as LPIPS rounds them. */
const shifts = [-0.03, -0.088, -0.188];
const scales = [0.458, 0.448, 0.45];

/** Keeps maps that are all zero from dividing by zero. */
const tiny = 1e-10;

/** Pairs of pictures at once, unless told. */
const usualBatch = 8;

/** A pair of pictures `[3, height, width]` in [-1, 1], of one size. */
export type PicturePair = readonly [Tensor<"float32">, Tensor<"float32">];

/** A perceptual distance, ready to run. It owns memory outside the collector's sight until it is disposed. */
export interface Lpips {
  readonly backbone: BackboneName;
  /** What a person reads, e.g. `LPIPS 0.1 squeeze, weights 0123456789ab and ba9876543210`. */
  readonly name: string;
  /**
   * Distance of each pair, in order; 0 for equal pictures.
   * @throws UsageError when the two of a pair differ in size, or are too small for the network
   */
  distances(pairs: readonly PicturePair[], options?: RunOptions): Promise<Float64Array>;
  dispose(): Promise<void>;
}

const column = (values: readonly number[]): Value => constant(float32([values.length, 1, 1, 1], values));

/** Each position's channels, brought to length 1. */
function unitLength(maps: Value): Value {
  return div(maps, shift(sqrt(reduceSumSquare(maps, [0])), tiny));
}

/**
 * LPIPS 0.1 as a graph (Zhang et al., arXiv:1801.03924, eq. 1): squared differences of maps of unit length, weighed by
 * channel, meant over positions and summed over layers.
 * @param heads gives `lin0` to `lin4` or `lin6`, each `[1, channels, 1, 1]`
 * @param first, second pictures `[batch, 3, height, width]` in [-1, 1]
 * @returns `[batch]`
 * @throws ShapeError
 */
export function lpipsGraph(
  backbone: (name: string, shape: readonly number[]) => Value,
  heads: (layer: number, channels: number) => Value,
  name: BackboneName,
  first: Value,
  second: Value,
): Value {
  const batch = first.shape[0]!;
  const [a, b] = [first, second].map((pictures) => {
    const normal = div(sub(swapBatchAndChannels(pictures), column(shifts)), column(scales));
    return backboneMaps(layers(backbone), name, normal).map(unitLength);
  }) as [Value[], Value[]];
  const parts = a.map((maps, i) => {
    const difference = sub(maps, b[i]!);
    const weight = reshape(heads(i, maps.shape[0]!), [maps.shape[0]!, 1, 1, 1]);
    return reduceMean(reduceSum(mul(mul(difference, difference), weight), [0]), [2, 3]);
  });
  return reshape(parts.reduce(add, scalar(0)), [batch]);
}

/** The head of a layer, under the name that version 0.1 of the reference gives it, or torchmetrics. */
function headsOf(weights: MeasureWeights, name: BackboneName): (layer: number, channels: number) => Value {
  const { source } = measureParameters(weights);
  const count = [...weights.tensors.keys()].filter((key) => /^lin\d+\.model\.1\.weight$/.test(key)).length;
  const first = weights.tensors.get("lin1.model.1.weight")?.shape[1];
  const wanted = tapWidths[name];
  if (count !== wanted.length || first !== wanted[1]) {
    const fitting = backboneNames.find((one) => tapWidths[one].length === count && tapWidths[one][1] === first);
    throw new CheckpointError(
      fitting === undefined
        ? `${weights.file}: these are not linear heads of LPIPS 0.1 (lin0.model.1.weight and so on).`
        : `${weights.file}: these heads belong to the backbone "${fitting}", but "${name}" is in use; give the heads of ${name}.`,
    );
  }
  return (layer, channels) => source(`lin${layer}.model.1.weight`, [1, channels, 1, 1]);
}

/** Which of LPIPS's backbones weights are of. @throws CheckpointError when they are of none */
export function backboneOf({ file, tensors }: MeasureWeights): BackboneName {
  const first = tensors.get("features.0.weight")?.shape;
  if (tensors.has("features.3.squeeze.weight")) return "squeeze";
  if (first?.[2] === 11) return "alex";
  if (tensors.has("features.28.weight")) return "vgg";
  throw new CheckpointError(
    `${file}: these are not weights of a backbone of LPIPS; expected torchvision's SqueezeNet 1.1, AlexNet or VGG-16.`,
  );
}

/**
 * LPIPS 0.1 by the weights of a backbone of torchvision (squeeze, alex or vgg) and the linear heads that belong to it.
 * @throws CheckpointError when the heads are of another backbone, or a tensor is missing
 */
export function lpips(
  runtime: Runtime,
  backbone: MeasureWeights,
  heads: MeasureWeights,
  batch: number = usualBatch,
): Lpips {
  const name = backboneOf(backbone);
  const head = headsOf(heads, name);
  const { source } = measureParameters(backbone);
  const sessions = new Map<string, Session>();
  const sessionFor = async (shape: readonly number[]): Promise<Session> => {
    const key = shape.join("x");
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const distance = lpipsGraph(source, head, name, input("first", shape), input("second", shape));
    const session = await runtime.compile(encodePrepared({ distance }, true), { layouts: true });
    sessions.set(key, session);
    return session;
  };

  return {
    backbone: name,
    name: `LPIPS 0.1 ${name}, weights ${backbone.fingerprint} and ${heads.fingerprint}`,
    async distances(pairs, options = {}) {
      const out = new Float64Array(pairs.length);
      for (const { size, places } of bySize(pairs, leastBackboneSize[name])) {
        const [height, width] = size;
        const one = 3 * height * width;
        for (let start = 0; start < places.length; start += batch) {
          const some = places.slice(start, start + batch);
          // Few pairs do not pay for a graph of their own: the batch is filled up.
          const shape = [batch, 3, height, width];
          const [first, second] = [new Float32Array(batch * one), new Float32Array(batch * one)];
          some.forEach((place, i) => {
            first.set(pairs[place]![0].data, i * one);
            second.set(pairs[place]![1].data, i * one);
          });
          const session = await sessionFor(shape);
          const results = await session.run({ first: float32(shape, first), second: float32(shape, second) }, options);
          some.forEach((place, i) => {
            out[place] = (results["distance"] as Tensor<"float32">).data[i]!;
          });
        }
      }
      return out;
    },
    async dispose() {
      for (const session of sessions.values()) await session.dispose();
      sessions.clear();
    },
  };
}

interface SizeGroup {
  readonly size: readonly [height: number, width: number];
  readonly places: number[];
}

/** Places of pairs by the size of their pictures. @throws UsageError */
function bySize(pairs: readonly PicturePair[], least: number): SizeGroup[] {
  const groups = new Map<string, SizeGroup>();
  pairs.forEach(([a, b], place) => {
    const [, height, width] = a.shape as [number, number, number];
    const [, otherHeight, otherWidth] = b.shape as [number, number, number];
    if (height !== otherHeight || width !== otherWidth) {
      throw new UsageError(
        `LPIPS compares pictures of one size, but pair ${place + 1} has ${width}x${height} and ${otherWidth}x${otherHeight}; resize one first.`,
      );
    }
    if (Math.min(height, width) < least)
      throw new UsageError(`Pair ${place + 1} is ${width}x${height}, but this LPIPS needs at least ${least}x${least}.`);
    const key = `${width}x${height}`;
    const group = groups.get(key) ?? { size: [height, width], places: [] };
    group.places.push(place);
    groups.set(key, group);
  });
  return [...groups.values()];
}
