import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { encode } from "../../graph/encode.ts";
import { input, type Value } from "../../graph/value.ts";
import { layers } from "../../models/layers.ts";
import { swapBatchAndChannels } from "../../models/maps.ts";
import { encodePictures } from "../../models/vae/autoencoder-kl.ts";
import { encodePicturesTiny } from "../../models/vae/autoencoder-tiny.ts";
import { diffusionLatents } from "../../models/vae/latent-scale.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { Session } from "../../runtime/runtime.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { encodeWithCache, type LatentSet } from "../latent-cache.ts";
import { type JobContext, reportTo } from "./context.ts";
import { autoencoderNetwork, type MemoryAutoencoder } from "./memory-model.ts";
import { hashAutoencoder } from "./open-base.ts";
import type { TrainingPictures } from "./pictures.ts";
import { batchOfMaps } from "./pixels.ts";

/** The latents of a run's pictures, as diffusion takes them: times `scaling_factor`. */
export interface TrainingLatents {
  /** Latents of the pictures at these places as maps `[channels, n, h, w]`; `mirrored` says of each which one. */
  batch(indices: readonly number[], mirrored: readonly boolean[]): Tensor<"float32">;
}

export interface LatentsRequest {
  readonly pictures: TrainingPictures;
  readonly autoencoder: MemoryAutoencoder;
  /** Height and width of the pictures in pixels. */
  readonly size: number;
  /** Whether mirrored pictures are encoded too. */
  readonly flip: boolean;
}

/** Pictures of 128 pixels that are encoded at once; of larger ones fewer. */
const picturesAtOnce = 16;

/**
 * Encodes pictures to the means of their latents, or takes them from the cache in the run's folder.
 * @throws FormatError when a picture cannot be decoded any more
 */
export async function encodeTrainingPictures(request: LatentsRequest, context: JobContext): Promise<TrainingLatents> {
  const { pictures, autoencoder, size } = request;
  const batchSize = Math.max(1, Math.min(picturesAtOnce, Math.floor(picturesAtOnce * (128 / size) ** 2)));
  const autoencoderHash = hashAutoencoder(autoencoder);
  await using encoder = meansEncoder(autoencoder, batchSize, size);
  const encodeSet = (mirrored: boolean): Promise<LatentSet> =>
    encodeWithCache({
      folder: join(context.folder, "latents"),
      pictures: pictures.entries,
      size: { width: size, height: size },
      mirrored,
      autoencoderHash,
      batchSize,
      encode: (batch) => encoder.encode(batch),
      onProgress: reportTo(context, mirrored ? "encoding mirrored pictures" : "encoding pictures"),
    });
  const plain = await encodeSet(false);
  const mirror = request.flip ? await encodeSet(true) : undefined;
  return {
    batch(indices, mirrored) {
      const items = indices.map((index, i) => {
        const set = mirrored[i] === true ? mirror : plain;
        if (set === undefined) throw new UsageError("mirrored pictures were not encoded; set flip in the config");
        return { ...set.gather([index]), shape: set.shape };
      });
      return batchOfMaps(items);
    },
  };
}

interface MeansEncoder extends AsyncDisposable {
  /** Up to `batchSize` pictures `[n, 3, size, size]` to the means of their latents `[n, channels, h, w]`, scaled. */
  encode(pictures: Tensor<"float32">): Promise<Tensor<"float32">>;
}

/** Compiled when it is first used: with a full cache it never is. */
function meansEncoder(autoencoder: MemoryAutoencoder, batchSize: number, size: number): MeansEncoder {
  const runtime = onnxRuntime();
  let compiled: Promise<Session> | undefined;
  const shape = [batchSize, 3, size, size];
  return {
    async encode(pictures) {
      compiled ??= runtime.compile(encode({ mean: meansGraph(autoencoder, shape) }));
      const session = await compiled;
      const count = pictures.shape[0]!;
      // The graph has one shape: a batch that is not full is filled up with grey.
      const full = new Float32Array(batchSize * 3 * size * size);
      full.set(pictures.data);
      const { mean } = await session.run({ pictures: { type: "float32", shape, data: full } });
      const all = diffusionLatents(mean as Tensor<"float32">, autoencoder.config);
      const length = all.data.length / batchSize;
      return { ...all, shape: [count, ...all.shape.slice(1)], data: all.data.subarray(0, count * length) };
    },
    [Symbol.asyncDispose]: () => runtime.dispose(),
  };
}

function meansGraph(autoencoder: MemoryAutoencoder, shape: readonly number[]): Value {
  const network = autoencoderNetwork(autoencoder);
  const at = layers(network.source);
  const pictures = swapBatchAndChannels(input("pictures", shape));
  const mean =
    network.kind === "kl"
      ? encodePictures(at, network.config, pictures).mean
      : encodePicturesTiny(at, network.config, pictures);
  return swapBatchAndChannels(mean);
}
