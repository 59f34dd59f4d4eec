import { UsageError } from "../errors.ts";
import type { PredictionType } from "./prediction.ts";
import {
  cosineBetas,
  linearBetas,
  type NoiseSchedule,
  noiseSchedule,
  rescaleToZeroTerminalSnr,
  scaledLinearBetas,
} from "./schedule.ts";

/** The fields of a diffusers `scheduler_config.json`, as parsed; each reader below checks the fields it reads. */
export type SchedulerConfig = Readonly<Record<string, unknown>>;

/** Beta fields that a scheduler class assumes where the configuration has none. */
export interface BetaDefaults {
  readonly schedule: "linear" | "scaled_linear" | "squaredcos_cap_v2";
  readonly start: number;
  readonly end: number;
}

/** What most schedulers of diffusers assume: the betas of Ho et al. (2020). */
export const usualBetas: BetaDefaults = { schedule: "linear", start: 0.0001, end: 0.02 };

/** What schedulers for distilled models (LCM, TCD) assume: the betas of Stable Diffusion. */
export const distilledBetas: BetaDefaults = { schedule: "scaled_linear", start: 0.00085, end: 0.012 };

/**
 * The noise schedule of a scheduler configuration.
 *
 * Reads num_train_timesteps, beta_schedule, beta_start, beta_end, trained_betas and rescale_betas_zero_snr.
 * @throws UsageError when a field has another type or an unknown value
 */
export function scheduleFromConfig(config: SchedulerConfig, defaults: BetaDefaults): NoiseSchedule {
  const betas = betasFromConfig(config, defaults);
  return noiseSchedule(configFlag(config, "rescale_betas_zero_snr", false) ? rescaleToZeroTerminalSnr(betas) : betas);
}

function betasFromConfig(config: SchedulerConfig, defaults: BetaDefaults): Float32Array {
  const { trained_betas: trained } = config;
  if (Array.isArray(trained)) return Float32Array.from(trained, Number);
  const trainSteps = configNumber(config, "num_train_timesteps", 1000);
  const start = configNumber(config, "beta_start", defaults.start);
  const end = configNumber(config, "beta_end", defaults.end);
  const kinds = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;
  switch (configChoice(config, "beta_schedule", kinds, defaults.schedule)) {
    case "linear":
      return linearBetas(start, end, trainSteps);
    case "scaled_linear":
      return scaledLinearBetas(start, end, trainSteps);
    case "squaredcos_cap_v2":
      return cosineBetas(trainSteps);
  }
}

/** What the network predicts, field prediction_type, epsilon where absent. @throws UsageError when it is unknown */
export function predictionFromConfig(config: SchedulerConfig): PredictionType {
  return configChoice(config, "prediction_type", ["epsilon", "v_prediction", "sample"], "epsilon");
}

/** A number field, or the default where it is absent or null. @throws UsageError when it is something else */
export function configNumber(config: SchedulerConfig, key: string, absent: number): number {
  const value = config[key] ?? absent;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrongField(key, value, "a number");
}

/** A true-or-false field, or the default where it is absent or null. @throws UsageError when it is something else */
export function configFlag(config: SchedulerConfig, key: string, absent: boolean): boolean {
  const value = config[key] ?? absent;
  if (typeof value === "boolean") return value;
  throw wrongField(key, value, "true or false");
}

/** A field with one of the given words, or the default where it is absent or null. @throws UsageError when it is not */
export function configChoice<T extends string>(
  config: SchedulerConfig,
  key: string,
  choices: readonly T[],
  absent: T,
): T {
  const value = config[key] ?? absent;
  const choice = choices.find((known) => known === value);
  if (choice !== undefined) return choice;
  throw wrongField(key, value, `one of ${choices.join(", ")}`);
}

function wrongField(key: string, value: unknown, expected: string): UsageError {
  return new UsageError(
    `The scheduler configuration's ${key} is ${JSON.stringify(value)}, but it must be ${expected}.`,
  );
}
