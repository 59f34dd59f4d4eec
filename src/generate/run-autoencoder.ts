import { concat } from "../graph/ops/structure.ts";
import { input, type Value } from "../graph/value.ts";
import { halfRule } from "../models/half-precision.ts";
import { layers, plainRule } from "../models/layers.ts";
import { swapBatchAndChannels } from "../models/maps.ts";
import { decodeLatents, encodePictures } from "../models/vae/autoencoder-kl.ts";
import { decodeLatentsTiny, encodePicturesTiny } from "../models/vae/autoencoder-tiny.ts";
import { decoderLatents, diffusionDeviations, diffusionLatents } from "../models/vae/latent-scale.ts";
import { allFinite } from "../tensor/arithmetic.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";
import type { AutoencoderNetwork, Model } from "./model.ts";
import type { Compile, EncodedPictures } from "./networks.ts";
import type { Precision } from "./precision.ts";
import { pixelsPerLatent } from "./size.ts";
import { inTiles, type Tiling, tilingDefaults } from "./tiling.ts";

type Floats = Tensor<"float32">;

/** How an autoencoder runs. */
export interface AutoencoderOptions {
  readonly tiling: Tiling;
  /**
   * float16 is for devices that compute it; a result that is not finite is computed again in float32, and so is all that
   * follows.
   */
  readonly precision: Precision;
  /** Told once, in a sentence, when float16 was too small. */
  onFallback(sentence: string): void;
}

export const autoencoderDefaults: AutoencoderOptions = {
  tiling: tilingDefaults,
  precision: "float32",
  onFallback: () => {},
};

/** A model's autoencoder, ready to run; see `Networks` for shapes and ranges. */
export interface AutoencoderRuns {
  decode(latents: Floats, signal?: AbortSignal): Promise<Floats>;
  encode(pictures: Floats, signal?: AbortSignal): Promise<EncodedPictures>;
}

/** Runs a model's autoencoder: whole or in tiles, compiled for each size it meets. */
export function autoencoderRuns(model: Model, compile: Compile, options: AutoencoderOptions): AutoencoderRuns {
  const { autoencoder, name } = model;
  const { tiling } = options;
  const scale = pixelsPerLatent(model);
  let { precision } = options;

  const run = async (half: Half, whole: Floats, signal: AbortSignal | undefined): Promise<Floats> => {
    const { folder } = autoencoder;
    const one = async (part: Floats): Promise<Floats> => {
      const computed = precision;
      const session = await compile(
        `${half} ${computed}`,
        [part],
        () => ({ output: graphs[half](autoencoder, part.shape, computed) }),
        folder === undefined ? {} : { folder },
      );
      const results = await session.run({ input: part }, signal === undefined ? {} : { signal });
      return results["output"] as Floats;
    };
    const [, , h, w] = whole.shape as [number, number, number, number];
    const [tile, factor] = half === "decoder" ? [tiling.tile, scale] : [tiling.tile * scale, 1 / scale];
    const latents = half === "decoder" ? h * w : (h * w) / scale ** 2;
    const large = latents > tiling.above && (h > tile || w > tile);
    return large ? inTiles(whole, { tile, overlap: tiling.overlap, factor }, one) : one(whole);
  };
  const guarded = async (half: Half, whole: Floats, signal: AbortSignal | undefined): Promise<Floats> => {
    const result = await run(half, whole, signal);
    if (precision === "float32" || allFinite(result)) return result;
    precision = "float32";
    options.onFallback(`the autoencoder of ${name} is not finite in float16; it is computed in float32.`);
    return run(half, whole, signal);
  };

  return {
    decode: (latents, signal) => guarded("decoder", decoderLatents(latents, autoencoder.config), signal),
    async encode(pictures, signal) {
      const { mean, logVariance } = momentsOf(autoencoder, await guarded("encoder", pictures, signal));
      return {
        mean: diffusionLatents(mean, autoencoder.config),
        deviation: diffusionDeviations(deviationOf(mean.shape, logVariance), autoencoder.config),
      };
    },
  };
}

type Half = "decoder" | "encoder";

const graphs: Readonly<
  Record<Half, (autoencoder: AutoencoderNetwork, shape: readonly number[], precision: Precision) => Value>
> = { decoder: decoderGraph, encoder: encoderGraph };

function decoderGraph(autoencoder: AutoencoderNetwork, shape: readonly number[], precision: Precision): Value {
  const latents = swapBatchAndChannels(input("input", shape));
  const at = layers(autoencoder.source, precision === "float16" ? halfRule : plainRule);
  const pictures =
    autoencoder.kind === "kl"
      ? decodeLatents(at, autoencoder.config, latents)
      : decodeLatentsTiny(at, autoencoder.config, latents);
  return swapBatchAndChannels(pictures);
}

/** Latents `[n, channels, h, w]`, or for an autoencoder with a distribution mean and logarithm of the variance, twice as many. */
function encoderGraph(autoencoder: AutoencoderNetwork, shape: readonly number[], precision: Precision): Value {
  const pictures = swapBatchAndChannels(input("input", shape));
  const at = layers(autoencoder.source, precision === "float16" ? halfRule : plainRule);
  if (autoencoder.kind === "tiny") return swapBatchAndChannels(encodePicturesTiny(at, autoencoder.config, pictures));
  const { mean, logVariance } = encodePictures(at, autoencoder.config, pictures);
  return swapBatchAndChannels(concat([mean, logVariance], 0));
}

interface Moments {
  readonly mean: Floats;
  readonly logVariance: Floats | undefined;
}

/** Takes apart what the encoder gives, picture by picture. */
function momentsOf({ kind }: AutoencoderNetwork, output: Floats): Moments {
  if (kind === "tiny") return { mean: output, logVariance: undefined };
  const [n, channels, h, w] = output.shape as [number, number, number, number];
  const shape = [n, channels / 2, h, w];
  const [mean, logVariance] = [filled(shape), filled(shape)];
  const size = (channels / 2) * h * w;
  for (let i = 0; i < n; i++) {
    mean.data.set(output.data.subarray(2 * i * size, (2 * i + 1) * size), i * size);
    logVariance.data.set(output.data.subarray((2 * i + 1) * size, (2 * i + 2) * size), i * size);
  }
  return { mean, logVariance };
}

/** exp(logVariance / 2), kept in the range that diffusers keeps it in. */
function deviationOf(shape: readonly number[], logVariance: Floats | undefined): Floats {
  if (logVariance === undefined) return filled(shape);
  const data = logVariance.data.map((x) => Math.exp(0.5 * Math.min(20, Math.max(-30, x))));
  return { type: "float32", shape, data };
}
