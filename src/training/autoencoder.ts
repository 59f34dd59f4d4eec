import { add, mul, scale, shift, sub } from "../graph/ops/arithmetic.ts";
import { abs, exp } from "../graph/ops/elementwise.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { slice } from "../graph/ops/structure.ts";
import { input } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { decodeLatents, encodePictures } from "../models/vae/autoencoder-kl.ts";
import { type AutoencoderConfig, downscale } from "../models/vae/config.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import type { Batch } from "./engine.ts";
import type { Objective } from "./objective.ts";
import { TrainableParameters } from "./parameters.ts";

export interface AutoencoderObjectiveOptions {
  readonly batch: number;
  /** Height and width of the pictures in pixels. */
  readonly size: number;
  /** Weight of the Kullback-Leibler term, per latent number. */
  readonly klWeight: number;
  /**
   * Weight of the error of colour differences (red - green, green - blue) beside that of the colours: errors of brightness
   * outweigh those of hue by far, and without it green and purple come out grey for long.
   */
  readonly hueWeight: number;
}

/**
 * Reconstruction (mean absolute error of colours and of colour differences) and a small pull of q(z | x) to the unit normal.
 * Batch: `pictures` `[3, batch, size, size]` in [-1, 1] and `noise` of the latents' shape.
 */
export function autoencoderObjective(config: AutoencoderConfig, options: AutoencoderObjectiveOptions): Objective {
  const { batch, size, klWeight, hueWeight } = options;
  const trainable = new TrainableParameters();
  const network = layers(trainable.source());
  const pictures = input("pictures", [config.inChannels, batch, size, size]);
  const { mean, logVariance } = encodePictures(network, config, pictures);
  const noise = input("noise", mean.shape);
  const latents = add(mean, mul(exp(scale(logVariance, 0.5)), noise));
  const error = sub(decodeLatents(network, config, latents), pictures);
  const reconstruction = meanOfAll(abs(error));
  const colours = config.outChannels;
  const hue =
    colours === 1 ? reconstruction : meanOfAll(abs(sub(slice(error, 0, 1, colours), slice(error, 0, 0, colours - 1))));
  // KL(q || N(0, 1)) = (mean^2 + var - 1 - log var) / 2, per number.
  const kl = scale(meanOfAll(sub(add(mul(mean, mean), exp(logVariance)), shift(logVariance, 1))), 0.5);
  return {
    loss: add(add(reconstruction, scale(hue, hueWeight)), scale(kl, klWeight)),
    metrics: { reconstruction, hue, kl },
    parameters: trainable.list(),
  };
}

/** The batch of one step. @param pictures maps `[3, batch, size, size]` in [-1, 1] */
export function autoencoderBatch(
  config: AutoencoderConfig,
  pictures: Tensor<"float32">,
  seed: number,
  step: number,
  part: number,
): Batch {
  const [, batch, height, width] = pictures.shape as [number, number, number, number];
  const factor = downscale(config);
  const shape = [config.latentChannels, batch, height / factor, width / factor];
  const count = shape.reduce((a, b) => a * b, 1);
  return { pictures, noise: float32(shape, counterNormal(seed, `latents.${part}`, step, count)) };
}
