import { type BoundaryOptions, boundaryScalings, consistencyCoefficients } from "../diffusion/consistency.ts";
import {
  cleanCoefficients,
  noiseCoefficients,
  type OutputCoefficients,
  type PredictionType,
} from "../diffusion/prediction.ts";
import { alphaAt, type NoiseSchedule, sigmaAt } from "../diffusion/schedule.ts";
import { mul, shift, sub } from "../graph/ops/arithmetic.ts";
import { detach, sqrt } from "../graph/ops/elementwise.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { input, type Value } from "../graph/value.ts";
import type { Layers } from "../models/layers.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import { unet } from "../models/unet/unet.ts";
import { coefficient, mix } from "./coefficients.ts";

/** d(x, y): the distance between student and target. */
export type ConsistencyDistance = { readonly kind: "l2" } | { readonly kind: "huber"; readonly c: number };

/** Mean of squares, or of sqrt(e^2 + c^2) - c (pseudo-Huber, Song and Dhariwal 2023). */
export function distance(kind: ConsistencyDistance, a: Value, b: Value): Value {
  const error = sub(a, b);
  const squares = mul(error, error);
  return kind.kind === "l2" ? meanOfAll(squares) : shift(meanOfAll(sqrt(shift(squares, kind.c ** 2))), -kind.c);
}

/** A network as the losses call it: latents, timesteps `[batch]`, and the guidance embedding where it has one. */
export type Denoiser = (latents: Value, timesteps: Value, context: Value) => Value;

/** The U-Net over given layers; a full latent consistency model also reads the embedding of its guidance. */
export function denoiser(layers: Layers, config: UNetConfig, guidance: Value | undefined): Denoiser {
  return (latents, timesteps, context) =>
    unet(layers, config, { latents, timesteps, context, ...(guidance === undefined ? {} : { guidance }) });
}

/** The latents of a skip: where it starts, and what its two ends are called in the batch. */
export interface SkipInputs {
  readonly latents: Value;
  readonly noise: Value;
  /** z_{t_{n+k}}: noisy latents at the start. */
  readonly noisy: Value;
  readonly start: Value;
  readonly end: Value;
}

/** The inputs that every consistency loss shares. */
export function skipInputs(config: UNetConfig, batch: number, size: number): SkipInputs {
  const shape = [config.inChannels, batch, size, size];
  const latents = input("latents", shape);
  const noise = input("noise", shape);
  const noisy = mix(coefficient("startClean", batch), latents, coefficient("startNoise", batch), noise);
  return { latents, noise, noisy, start: input("start", [batch]), end: input("end", [batch]) };
}

/**
 * d(f_theta(z_{t_{n+k}}, c, t_{n+k}), f_theta-(z^_{t_n}, c, t_n)); no gradient passes through the target.
 * f is a combination of sample and output whose coefficients come with the batch.
 */
export function consistencyLoss(
  kind: ConsistencyDistance,
  student: Denoiser,
  target: Denoiser,
  { noisy, start, end }: SkipInputs,
  estimate: Value,
  context: Value,
): Value {
  const batch = noisy.shape[1]!;
  const f = (which: string, network: Denoiser, z: Value, t: Value): Value =>
    mix(coefficient(`${which}Sample`, batch), z, coefficient(`${which}Output`, batch), network(z, t, context));
  const predicted = f("student", student, noisy, start);
  const wanted = detach(f("target", target, detach(estimate), end));
  return distance(kind, predicted, wanted);
}

/** Numbers of one skip, from start to end, that both kinds of consistency training need. */
export interface SkipCoefficients {
  readonly student: OutputCoefficients;
  readonly target: OutputCoefficients;
  /** Clean latents and noise from the network's output at the start. */
  readonly clean: OutputCoefficients;
  readonly epsilon: OutputCoefficients;
}

export function skipCoefficients(
  schedule: NoiseSchedule,
  prediction: PredictionType,
  start: number,
  end: number,
  boundary: BoundaryOptions,
): SkipCoefficients {
  const at = (t: number): [PredictionType, number, number] => [prediction, alphaAt(schedule, t), sigmaAt(schedule, t)];
  return {
    student: consistencyCoefficients(...at(start), boundaryScalings(start, boundary)),
    target: consistencyCoefficients(...at(end), boundaryScalings(end, boundary)),
    clean: cleanCoefficients(...at(start)),
    epsilon: noiseCoefficients(...at(start)),
  };
}
