import { forwardCoefficients } from "../diffusion/forward.ts";
import { type PredictionType, targetCoefficients } from "../diffusion/prediction.ts";
import { alphaAt, type NoiseSchedule, sigmaAt } from "../diffusion/schedule.ts";
import { minSnrWeight, signalToNoise } from "../diffusion/snr.ts";
import { mul, sub } from "../graph/ops/arithmetic.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { input, type Value } from "../graph/value.ts";
import type { Layers } from "../models/layers.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import { unet } from "../models/unet/unet.ts";
import { counterIntegers, counterNormal } from "../tensor/random/counter.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { coefficient, coefficientTensor, mix } from "./coefficients.ts";
import type { Batch } from "./engine.ts";
import type { TextEncoding } from "./text.ts";

export interface DenoiseShape {
  readonly batch: number;
  /** Height and width of the latents. */
  readonly size: number;
  /** Tokens of a caption, padding included. */
  readonly tokens: number;
}

/**
 * The loss of a diffusion model: the weighted mean squared error of the network's output at a random noise level.
 * Batch: `denoiseBatch`. Which parameters train is the caller's choice, through `layers` and `text`.
 */
export function denoiseLoss(
  layers: Layers,
  config: UNetConfig,
  text: TextEncoding,
  { batch, size, tokens }: DenoiseShape,
): Value {
  const shape = [config.inChannels, batch, size, size];
  const latents = input("latents", shape);
  const noise = input("noise", shape);
  const noisy = mix(coefficient("clean", batch), latents, coefficient("noisy", batch), noise);
  const context = text(input("tokens", [batch, tokens], "int64"));
  const output = unet(layers, config, { latents: noisy, timesteps: input("timesteps", [batch]), context });
  const target = mix(coefficient("targetClean", batch), latents, coefficient("targetNoise", batch), noise);
  const error = sub(output, target);
  return meanOfAll(mul(mul(error, error), coefficient("weight", batch)));
}

export interface DenoiseBatchOptions {
  readonly schedule: NoiseSchedule;
  readonly prediction: PredictionType;
  /** Clamp of the signal-to-noise weight (Hang et al. 2023); 0 weighs all levels alike. */
  readonly minSnrGamma: number;
  /** Least weight of the picture\'s error at high noise, see `minSnrWeight`; 0 is min-SNR as published. */
  readonly snrFloor: number;
  readonly seed: number;
}

/**
 * The batch of one step: noise and noise levels are functions of seed, step and part alone.
 * @param latents scaled, maps `[channels, batch, h, w]`; `tokens` `[batch, tokens]`
 */
export function denoiseBatch(
  { schedule, prediction, minSnrGamma, snrFloor, seed }: DenoiseBatchOptions,
  latents: Tensor<"float32">,
  tokens: Tensor<"int64">,
  step: number,
  part: number,
): Batch {
  const batch = latents.shape[1]!;
  const timesteps = Array.from(counterIntegers(seed, `timesteps.${part}`, step, batch, schedule.trainSteps));
  const forward = timesteps.map((t) => forwardCoefficients(schedule, t));
  const target = timesteps.map((t) => targetCoefficients(prediction, alphaAt(schedule, t), sigmaAt(schedule, t)));
  const weight = timesteps.map((t) =>
    minSnrGamma > 0 ? minSnrWeight(prediction, signalToNoise(schedule, t), minSnrGamma, snrFloor) : 1,
  );
  return {
    latents,
    tokens,
    noise: float32(latents.shape, counterNormal(seed, `noise.${part}`, step, latents.data.length)),
    timesteps: float32([batch], timesteps),
    clean: coefficientTensor(forward.map(({ clean }) => clean)),
    noisy: coefficientTensor(forward.map(({ noise }) => noise)),
    targetClean: coefficientTensor(target.map(({ clean }) => clean)),
    targetNoise: coefficientTensor(target.map(({ noise }) => noise)),
    weight: coefficientTensor(weight),
  };
}
