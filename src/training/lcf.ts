import { forwardCoefficients } from "../diffusion/forward.ts";
import { detach } from "../graph/ops/elementwise.ts";
import { input, type Value } from "../graph/value.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coefficient, coefficientTensor, mix } from "./coefficients.ts";
import { type ConsistencyDistance, consistencyLoss, type Denoiser, skipInputs } from "./consistency-loss.ts";
import type { DenoiseShape } from "./denoise.ts";
import type { Batch } from "./engine.ts";
import { type DistillationOptions, distillationBatch } from "./lcd.ts";
import type { TextEncoding } from "./text.ts";

/**
 * Latent consistency fine-tuning (LCF; Luo et al. 2023, section 4.4): no teacher; the same latents and the same noise at
 * both ends of the skip, z_{t_n} = alpha(t_n) z_0 + sigma(t_n) epsilon. Batch: `fineTuningBatch`.
 */
export function fineTuningLoss(
  student: Denoiser,
  target: Denoiser,
  config: UNetConfig,
  text: TextEncoding,
  kind: ConsistencyDistance,
  { batch, size, tokens }: DenoiseShape,
): Value {
  const skip = skipInputs(config, batch, size);
  const context = detach(text(input("tokens", [batch, tokens], "int64")));
  const end = mix(coefficient("endClean", batch), skip.latents, coefficient("endNoise", batch), skip.noise);
  return consistencyLoss(kind, student, target, skip, end, context);
}

/** The batch of one step: that of distillation, with the far end's forward coefficients in the teacher's place. */
export function fineTuningBatch(
  options: DistillationOptions,
  latents: Tensor<"float32">,
  tokens: Tensor<"int64">,
  step: number,
  part: number,
): Batch {
  const {
    omega: _omega,
    solverSample: _sample,
    solverOutput: _output,
    emptyTokens: _empty,
    ...batch
  } = distillationBatch(options, latents, tokens, tokens, step, part);
  const ends = Array.from(batch["end"]!.data as Float32Array, (t) => forwardCoefficients(options.schedule, t));
  return {
    ...batch,
    endClean: coefficientTensor(ends.map(({ clean }) => clean)),
    endNoise: coefficientTensor(ends.map(({ noise }) => noise)),
  };
}
