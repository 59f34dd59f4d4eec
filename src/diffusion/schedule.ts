import { UsageError } from "../errors.ts";

const round = Math.fround;

/**
 * How much of picture and noise is left at each training timestep: z_t = alpha_t z_0 + sigma_t noise.
 *
 * alpha_t = sqrt(alphaBar_t), sigma_t = sqrt(1 - alphaBar_t), alphaBar_t = product of (1 - beta_s) for s <= t.
 */
export interface NoiseSchedule {
  /** Number of training timesteps T, usually 1000; timesteps are 0 (nearly clean) to T - 1 (nearly noise). */
  readonly trainSteps: number;
  readonly betas: Float32Array;
  readonly alphaBars: Float32Array;
}

/** A schedule from its betas, in float32 as diffusers has it (the running product is kept in float64, as torch keeps it). */
export function noiseSchedule(betas: Float32Array): NoiseSchedule {
  const alphaBars = new Float32Array(betas.length);
  let product = 1;
  for (const [t, beta] of betas.entries()) {
    product *= round(1 - beta);
    alphaBars[t] = product;
  }
  return { trainSteps: betas.length, betas, alphaBars };
}

/** The schedule of Stable Diffusion 1.5, SSD-1B and SDXL: scaled linear betas from 0.00085 to 0.012 over 1000 steps. */
export function stableDiffusionSchedule(): NoiseSchedule {
  return noiseSchedule(scaledLinearBetas(0.00085, 0.012, 1000));
}

/** Betas on a straight line (Ho et al. 2020), "linear". */
export function linearBetas(start: number, end: number, trainSteps: number): Float32Array {
  return linspace32(start, end, trainSteps);
}

/** Betas whose square roots lie on a straight line (latent diffusion), "scaled_linear". */
export function scaledLinearBetas(start: number, end: number, trainSteps: number): Float32Array {
  return linspace32(Math.sqrt(start), Math.sqrt(end), trainSteps).map((x) => x * x);
}

/** Betas of the cosine schedule (Nichol and Dhariwal 2021), "squaredcos_cap_v2", each at most 0.999. */
export function cosineBetas(trainSteps: number): Float32Array {
  const alphaBar = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float32Array.from({ length: trainSteps }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / trainSteps) / alphaBar(i / trainSteps), 0.999),
  );
}

/** Betas moved and scaled so that the last timestep is pure noise (Lin et al. 2023, algorithm 1): alphaBar_{T-1} = 0. */
export function rescaleToZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = noiseSchedule(betas).alphaBars.map(Math.sqrt);
  const first = roots[0]!;
  const last = roots[roots.length - 1]!;
  const factor = round(first / round(first - last));
  const alphaBars = roots.map((root) => round(round(root - last) * factor)).map((root) => root * root);
  return alphaBars.map((alphaBar, t) => 1 - (t === 0 ? alphaBar : round(alphaBar / alphaBars[t - 1]!)));
}

/** alphaBar_t at a whole timestep. @throws UsageError when the timestep is not one of the schedule's */
export function alphaBarAt(schedule: NoiseSchedule, timestep: number): number {
  const value = schedule.alphaBars[timestep];
  if (value === undefined) {
    throw new UsageError(
      `The timestep is ${timestep}, but this noise schedule has the whole numbers 0 to ${schedule.trainSteps - 1}.`,
    );
  }
  return value;
}

/** alpha_t = sqrt(alphaBar_t), the share of the picture; see `alphaBarAt`. */
export function alphaAt(schedule: NoiseSchedule, timestep: number): number {
  return Math.sqrt(alphaBarAt(schedule, timestep));
}

/** sigma_t = sqrt(1 - alphaBar_t), the share of the noise; see `alphaBarAt`. */
export function sigmaAt(schedule: NoiseSchedule, timestep: number): number {
  return Math.sqrt(1 - alphaBarAt(schedule, timestep));
}

/** lambda_t = ln(alpha_t / sigma_t), half the logarithm of the signal-to-noise ratio; see `alphaBarAt`. */
export function lambdaAt(schedule: NoiseSchedule, timestep: number): number {
  return Math.log(alphaAt(schedule, timestep) / sigmaAt(schedule, timestep));
}

/**
 * sigma_t / alpha_t, the noise level of Karras et al. (2022), where z / alpha_t = z_0 + level * noise.
 *
 * Linear between whole timesteps. A terminal alphaBar of 0 counts as 2^-24, so that the level stays finite.
 */
export function noiseLevelAt(schedule: NoiseSchedule, timestep: number): number {
  const below = Math.floor(timestep);
  const level = wholeNoiseLevel(schedule, below);
  if (below === timestep) return level;
  return level + (timestep - below) * (wholeNoiseLevel(schedule, below + 1) - level);
}

function wholeNoiseLevel(schedule: NoiseSchedule, timestep: number): number {
  const alphaBar = Math.max(alphaBarAt(schedule, timestep), 2 ** -24);
  return Math.sqrt((1 - alphaBar) / alphaBar);
}

/** Evenly spaced float32 numbers with both ends, counted from the nearer end as torch does it. */
function linspace32(start: number, end: number, count: number): Float32Array {
  const first = round(start);
  const last = round(end);
  const step = round(round(last - first) / (count - 1));
  const half = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) =>
    count === 1 ? first : i < half ? first + step * i : last - step * (count - 1 - i),
  );
}
