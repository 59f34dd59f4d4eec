import { CheckpointError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { reduceMean } from "../graph/ops/reduction.ts";
import { reshape, transpose } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { swapBatchAndChannels } from "../models/maps.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { compileFeatureNetwork, type FeatureGraph } from "./feature-network.ts";
import type { FeatureNetwork } from "./features.ts";
import { type BackboneName, backboneMaps, tapWidths } from "./networks/backbones.ts";
import { efficientNetLite, efficientNetLiteSize, efficientNetLiteWidth } from "./networks/efficientnet-lite.ts";
import { inception, inceptionClasses, inceptionSize, inceptionWidth } from "./networks/inception.ts";
import { pictureBytes, type Resizing, resizePlanes } from "./resize.ts";
import { type MeasureWeights, measureParameters, readMeasureWeights } from "./weights.ts";

/** The resizings that published Frechet inception distances use, by the program that does so. */
export const inceptionResizings: Readonly<Record<InceptionResizing, Resizing>> = {
  "torch-fidelity": "tensorflow",
  "clean-fid": "pillow",
  "pytorch-fid": "torch",
};

export type InceptionResizing = "torch-fidelity" | "clean-fid" | "pytorch-fid";

export interface FeatureNetworkOptions {
  /** How pictures are brought to Inception's size; other networks have one way. torch-fidelity's unless told. */
  readonly resizing?: InceptionResizing;
  /** Pictures at once; 8 unless told. */
  readonly batch?: number;
}

/** Mean and deviation of ImageNet's pictures, by channel, on [0, 1]. */
const imageNetMean = [0.485, 0.456, 0.406];
const imageNetDeviation = [0.229, 0.224, 0.225];

/** (x - mean) / deviation for each of three planes. */
function normalised(
  planes: Tensor<"float32">,
  mean: readonly number[],
  deviation: readonly number[],
): Tensor<"float32"> {
  const area = planes.data.length / 3;
  return float32(
    planes.shape,
    planes.data.map((x, i) => (x - mean[Math.floor(i / area)]!) / deviation[Math.floor(i / area)]!),
  );
}

const each = (n: number): readonly number[] => [n, n, n];

function inceptionGraph(weights: MeasureWeights, resizing: InceptionResizing): FeatureGraph {
  const { source } = measureParameters(weights);
  // pytorch-fid takes bytes for steps from 0 to 1, the others the network's own 128ths.
  const [mean, deviation] = resizing === "pytorch-fid" ? [127.5, 127.5] : [128, 128];
  return {
    identity: { network: `inception-v3-2015 ${inceptionWidth}`, resizing, fingerprint: weights.fingerprint },
    width: inceptionSize,
    height: inceptionSize,
    featureWidth: inceptionWidth,
    prepare: (picture) => {
      const planes = resizePlanes(pictureBytes(picture), inceptionSize, inceptionSize, inceptionResizings[resizing]);
      return normalised(planes, each(mean), each(deviation));
    },
    build: (pictures) => inception(layers(source), swapBatchAndChannels(pictures)),
  };
}

/** Means of the last maps of a backbone of LPIPS. */
function backboneGraph(weights: MeasureWeights, name: BackboneName): FeatureGraph {
  const { source } = measureParameters(weights);
  const size = 224;
  const width = tapWidths[name].at(-1)!;
  return {
    identity: {
      network: `${backboneTitles[name]} ${width}`,
      resizing: "torchvision",
      fingerprint: weights.fingerprint,
    },
    width: size,
    height: size,
    featureWidth: width,
    prepare: (picture) => {
      const planes = resizePlanes(pictureBytes(picture), size, size, "pillow-bilinear-bytes");
      return normalised(
        planes,
        imageNetMean.map((x) => 255 * x),
        imageNetDeviation.map((x) => 255 * x),
      );
    },
    build: (pictures) => ({
      features: planeMeans(backboneMaps(layers(source), name, swapBatchAndChannels(pictures)).at(-1)!),
    }),
  };
}

const backboneTitles: Readonly<Record<BackboneName, string>> = {
  squeeze: "squeezenet-1.1",
  alex: "alexnet",
  vgg: "vgg-16",
};

function efficientNetGraph(weights: MeasureWeights): FeatureGraph {
  const { source } = measureParameters(weights);
  return {
    identity: {
      network: `efficientnet-lite0 ${efficientNetLiteWidth}`,
      resizing: "pillow",
      fingerprint: weights.fingerprint,
    },
    width: efficientNetLiteSize,
    height: efficientNetLiteSize,
    featureWidth: efficientNetLiteWidth,
    prepare: (picture) => {
      const planes = resizePlanes(pictureBytes(picture), efficientNetLiteSize, efficientNetLiteSize, "pillow-bytes");
      return normalised(planes, each(127), each(128));
    },
    build: (pictures) => efficientNetLite(layers(source), swapBatchAndChannels(pictures)),
  };
}

/** Means over positions of maps, `[batch, channels]`. */
function planeMeans(maps: Value): Value {
  const [channels, batch] = maps.shape as [number, number];
  return transpose(reshape(reduceMean(maps, [2, 3]), [channels, batch]), [1, 0]);
}

/**
 * What network a file's weights are of, told by its tensors.
 * @throws CheckpointError in one sentence when it is none that makes features
 */
function graphOf(weights: MeasureWeights, resizing: InceptionResizing): FeatureGraph {
  const { tensors, file } = weights;
  const shapeOf = (name: string): readonly number[] | undefined => tensors.get(name)?.shape;
  const classes = shapeOf("fc.weight")?.[0];
  if (shapeOf("Mixed_5b.branch1x1.conv.weight") !== undefined) {
    if (classes !== inceptionClasses) {
      throw new CheckpointError(
        `${file}: this is an Inception v3 of ${classes ?? "no"} classes, such as torchvision's; the Frechet distance is defined on the one of December 2015 with ${inceptionClasses} (pt_inception-2015-12-05).`,
      );
    }
    return inceptionGraph(weights, resizing);
  }
  if (shapeOf("features.3.squeeze.weight") !== undefined) return backboneGraph(weights, "squeeze");
  const first = shapeOf("features.0.weight");
  if (first?.[2] === 11) return backboneGraph(weights, "alex");
  if (first?.[2] === 3 && shapeOf("features.28.weight") !== undefined) return backboneGraph(weights, "vgg");
  if (shapeOf("_conv_stem.weight") !== undefined) return efficientNetGraph(weights);
  throw new CheckpointError(
    `${file}: these are not weights of a network that makes features; expected Inception v3 (pt_inception-2015-12-05), SqueezeNet 1.1, AlexNet or VGG-16 of torchvision, or EfficientNet-Lite0.`,
  );
}

/**
 * Opens a network that makes features from a file of its weights, safetensors or torch's; which network it is follows from
 * the tensors.
 * @throws CheckpointError when it is another network, or a tensor is missing; FormatError when the file cannot be read
 */
export async function openFeatureNetwork(
  runtime: Runtime,
  source: ByteSource,
  options: FeatureNetworkOptions = {},
): Promise<FeatureNetwork> {
  return featureNetworkOf(runtime, await readMeasureWeights(source), options);
}

/** The same from weights in memory. @throws CheckpointError as `openFeatureNetwork` */
export async function featureNetworkOf(
  runtime: Runtime,
  weights: MeasureWeights,
  { resizing = "torch-fidelity", batch }: FeatureNetworkOptions = {},
): Promise<FeatureNetwork> {
  return compileFeatureNetwork(runtime, graphOf(weights, resizing), batch);
}
