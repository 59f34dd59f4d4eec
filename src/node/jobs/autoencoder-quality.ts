import { encode } from "../../graph/encode.ts";
import { input } from "../../graph/value.ts";
import { layers } from "../../models/layers.ts";
import { decodeLatents, encodePictures } from "../../models/vae/autoencoder-kl.ts";
import type { AutoencoderConfig } from "../../models/vae/config.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { Session } from "../../runtime/runtime.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { TrainableParameters, toStored } from "../../training/parameters.ts";
import type { Weights } from "./memory-model.ts";
import type { PixelSource } from "./pixels.ts";

/** What an autoencoder makes of pictures. */
export interface Reconstructed {
  /** Means of the latents of all pictures, as maps `[channels, n, h, w]`. */
  readonly latents: Tensor<"float32">;
  /** Peak signal-to-noise ratio over all pixels in decibels; a difference of the whole range is 0 dB. */
  readonly psnr: number;
  /** The last batch: pictures and what became of them, maps `[3, batch, height, width]`. */
  readonly last: { readonly pictures: Tensor<"float32">; readonly decoded: Tensor<"float32"> };
}

/** Runs an autoencoder of any weights over pictures. */
export interface Reconstructor {
  run(weights: Weights, indices: readonly number[]): Promise<Reconstructed>;
  dispose(): Promise<void>;
}

/** The weights come as inputs of the graph, so one session serves all states of a run. Compiled when first used. */
export function createReconstructor(
  config: AutoencoderConfig,
  size: number,
  batch: number,
  pixels: PixelSource,
): Reconstructor {
  const runtime = onnxRuntime();
  const trainable = new TrainableParameters();
  let compiled: Promise<Session> | undefined;
  const compile = (): Promise<Session> => {
    const at = layers(trainable.source());
    const { mean } = encodePictures(at, config, input("pictures", [config.inChannels, batch, size, size]));
    return runtime.compile(encode({ mean, decoded: decodeLatents(at, config, mean) }));
  };
  return {
    async run(weights, indices) {
      compiled ??= compile();
      const session = await compiled;
      const feeds: Record<string, Tensor> = {};
      for (const { name, shape, stored } of trainable.list()) {
        const data = toStored(weights.get(name)!.data, shape);
        feeds[name] = { type: "float32", shape: stored, data };
      }
      const means: Tensor<"float32">[] = [];
      let squares = 0;
      let count = 0;
      let last: Reconstructed["last"] | undefined;
      for (let from = 0; from < indices.length; from += batch) {
        const members = indices.slice(from, from + batch);
        // The graph has one shape: the last batch is filled up with its first picture, which then counts once.
        const padded = Array.from({ length: batch }, (_, i) => members[i] ?? members[0]!);
        const pictures = await pixels(padded);
        const results = await session.run({ ...feeds, pictures });
        const decoded = results["decoded"] as Tensor<"float32">;
        means.push(firstOf(results["mean"] as Tensor<"float32">, members.length));
        squares += squaredError(firstOf(decoded, members.length), firstOf(pictures, members.length));
        count += (decoded.data.length / batch) * members.length;
        last = { pictures, decoded };
      }
      return { latents: joined(means), psnr: -10 * Math.log10(squares / count), last: last! };
    },
    dispose: () => runtime.dispose(),
  };
}

/** Sum of squared differences of pictures in [-1, 1], as shares of the range; colours beyond it are cut, as in files. */
function squaredError(decoded: Tensor<"float32">, pictures: Tensor<"float32">): number {
  let sum = 0;
  decoded.data.forEach((value, i) => {
    sum += ((Math.max(-1, Math.min(1, value)) - pictures.data[i]!) / 2) ** 2;
  });
  return sum;
}

/** The first `count` members of maps `[channels, n, h, w]`. */
function firstOf(maps: Tensor<"float32">, count: number): Tensor<"float32"> {
  const [channels, n, height, width] = maps.shape as [number, number, number, number];
  if (count === n) return maps;
  const positions = height * width;
  const data = new Float32Array(channels * count * positions);
  for (let c = 0; c < channels; c++) {
    data.set(maps.data.subarray(c * n * positions, (c * n + count) * positions), c * count * positions);
  }
  return { type: "float32", shape: [channels, count, height, width], data };
}

/** Maps one after another along their second axis. */
function joined(parts: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const [channels, , height, width] = parts[0]!.shape as [number, number, number, number];
  const positions = height * width;
  const n = parts.reduce((sum, { shape }) => sum + shape[1]!, 0);
  const data = new Float32Array(channels * n * positions);
  let before = 0;
  for (const part of parts) {
    const length = part.shape[1]! * positions;
    for (let c = 0; c < channels; c++) {
      data.set(part.data.subarray(c * length, (c + 1) * length), (c * n + before) * positions);
    }
    before += part.shape[1]!;
  }
  return { type: "float32", shape: [channels, n, height, width], data };
}
