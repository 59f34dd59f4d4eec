import { type BoundaryOptions, boundaryDefaults } from "../diffusion/consistency.ts";
import { ddimSolver } from "../diffusion/ddim-solver.ts";
import { forwardCoefficients } from "../diffusion/forward.ts";
import { guidanceEmbedding } from "../diffusion/guidance.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { detach } from "../graph/ops/elementwise.ts";
import { concat, slice } from "../graph/ops/structure.ts";
import { input, type Value } from "../graph/value.ts";
import type { UNetConfig } from "../models/unet/config.ts";
import { counterIntegers, counterNormal, counterUniform } from "../tensor/random/counter.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { coefficient, coefficientTensor, mix } from "./coefficients.ts";
import {
  type ConsistencyDistance,
  consistencyLoss,
  type Denoiser,
  skipCoefficients,
  skipInputs,
} from "./consistency-loss.ts";
import type { DenoiseShape } from "./denoise.ts";
import type { Batch } from "./engine.ts";
import type { TextEncoding } from "./text.ts";

/** The three roles that one U-Net plays, with its adapter on or off. */
export interface DistillationRoles {
  /** f_theta's network: what trains. */
  readonly student: Denoiser;
  /** f_theta-'s network: the averaged copy of a full model, or the student's own weights with LCM-LoRA. */
  readonly target: Denoiser;
  /** epsilon_psi: the model that is distilled, unchanged. */
  readonly teacher: Denoiser;
}

/**
 * Latent consistency distillation: the teacher's guided DDIM step from t_{n+k} to t_n gives the point at which the target
 * must agree with the student.
 *
 *     z^_{t_n} = z_{t_{n+k}} + (1 + omega) Psi(z, t_{n+k}, t_n, c) - omega Psi(z, t_{n+k}, t_n, null)
 *
 * Psi is linear in the network's output, so the outputs are combined and one step is made. With and without caption
 * run as one batch. Batch: `distillationBatch`.
 * @paper algorithm 1
 */
export function distillationLoss(
  { student, target, teacher }: DistillationRoles,
  config: UNetConfig,
  text: TextEncoding,
  kind: ConsistencyDistance,
  { batch, size, tokens }: DenoiseShape,
): Value {
  const skip = skipInputs(config, batch, size);
  const context = detach(text(input("tokens", [batch, tokens], "int64")));
  const empty = detach(text(input("emptyTokens", [batch, tokens], "int64")));
  const twice = (x: Value, axis: number): Value => concat([x, x], axis);
  const outputs = teacher(twice(skip.noisy, 1), twice(skip.start, 0), concat([context, empty], 0));
  const conditional = slice(outputs, 1, 0, batch);
  const unconditional = slice(outputs, 1, batch, 2 * batch);
  const guided = add(conditional, mul(sub(conditional, unconditional), coefficient("omega", batch)));
  const estimate = mix(coefficient("solverSample", batch), skip.noisy, coefficient("solverOutput", batch), guided);
  return consistencyLoss(kind, student, target, skip, estimate, context);
}

export interface DistillationOptions {
  readonly schedule: NoiseSchedule;
  readonly prediction: PredictionType;
  /** Points of the grid; the skipping step k is `trainSteps / gridSteps`. */
  readonly gridSteps: number;
  /** The paper's omega is drawn from this range, one per picture; a guidance scale is 1 + omega. */
  readonly omegaMin: number;
  readonly omegaMax: number;
  /** Width of the guidance embedding of a full model. */
  readonly guidanceWidth: number | undefined;
  readonly boundary: BoundaryOptions;
  readonly seed: number;
}

export const distillationDefaults: Omit<DistillationOptions, "schedule" | "prediction" | "seed"> = {
  gridSteps: 50,
  omegaMin: 5,
  omegaMax: 15,
  guidanceWidth: undefined,
  boundary: boundaryDefaults,
};

/** Embeddings of the guidance, one row per picture. */
export function guidanceRows(omegas: readonly number[], width: number): Tensor<"float32"> {
  const rows = new Float32Array(omegas.length * width);
  omegas.forEach((omega, i) => {
    rows.set(guidanceEmbedding(omega, width), i * width);
  });
  return float32([omegas.length, width], rows);
}

/**
 * The batch of one step of Algorithm 1: n ~ U, omega ~ U[omegaMin, omegaMax], noise; all functions of seed, step and part.
 * @param latents scaled, maps `[channels, batch, h, w]`; `tokens` and `emptyTokens` `[batch, tokens]`
 */
export function distillationBatch(
  options: DistillationOptions,
  latents: Tensor<"float32">,
  tokens: Tensor<"int64">,
  emptyTokens: Tensor<"int64">,
  step: number,
  part: number,
): Batch {
  const { schedule, prediction, gridSteps, omegaMin, omegaMax, guidanceWidth, boundary, seed } = options;
  const batch = latents.shape[1]!;
  const grid = ddimSolver(schedule, gridSteps);
  const skips = Array.from(counterIntegers(seed, `levels.${part}`, step, batch, grid.length), (n) => grid[n]!);
  const numbers = skips.map(({ start, end }) => skipCoefficients(schedule, prediction, start, end, boundary));
  const omegas = Array.from(
    counterUniform(seed, `omega.${part}`, step, batch),
    (u) => omegaMin + u * (omegaMax - omegaMin),
  );
  const forward = skips.map(({ start }) => forwardCoefficients(schedule, start));
  // Psi in the network's output: its clean latents and its noise, each a combination of sample and output.
  const solver = skips.map(({ coefficients: { clean, epsilon } }, i) => ({
    sample: clean * numbers[i]!.clean.sample + epsilon * numbers[i]!.epsilon.sample,
    output: clean * numbers[i]!.clean.output + epsilon * numbers[i]!.epsilon.output,
  }));
  return {
    latents,
    tokens,
    emptyTokens,
    noise: float32(latents.shape, counterNormal(seed, `noise.${part}`, step, latents.data.length)),
    start: float32(
      [batch],
      skips.map(({ start }) => start),
    ),
    end: float32(
      [batch],
      skips.map(({ end }) => end),
    ),
    startClean: coefficientTensor(forward.map(({ clean }) => clean)),
    startNoise: coefficientTensor(forward.map(({ noise }) => noise)),
    omega: coefficientTensor(omegas),
    solverSample: coefficientTensor(solver.map(({ sample }) => sample)),
    solverOutput: coefficientTensor(solver.map(({ output }) => output)),
    studentSample: coefficientTensor(numbers.map(({ student }) => student.sample)),
    studentOutput: coefficientTensor(numbers.map(({ student }) => student.output)),
    targetSample: coefficientTensor(numbers.map(({ target }) => target.sample)),
    targetOutput: coefficientTensor(numbers.map(({ target }) => target.output)),
    ...(guidanceWidth === undefined ? {} : { guidance: guidanceRows(omegas, guidanceWidth) }),
  };
}
