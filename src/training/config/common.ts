import { UsageError } from "../../errors.ts";
import {
  constantRate,
  cosineDecay,
  decayOverLastThird,
  linearWarmUp,
  product,
  type RateSchedule,
} from "../../optim/rates.ts";
import { defaultOptimizerSettings, type OptimizerSettings } from "../engine.ts";
import { between, flag, oneOf, positive, type Shape, section, text, textOrTexts, texts, whole } from "./fields.ts";

/** Settings of AdamW and of clipping as a config names them. */
export type OptimizerConfig = Omit<OptimizerSettings, "emaDecay">;

/** Pictures that are drawn now and then while a run goes on, always from the same noise. */
export interface SampleConfig {
  readonly prompts: readonly string[];
  /** Steps between sheets; 0 draws none. */
  readonly every: number;
  readonly seed: number;
  /** Sampling steps of each picture. */
  readonly steps: number;
  readonly guidanceScale: number;
}

/** Keys that the config of every kind of training has. */
export interface CommonConfig {
  /** Folder of pictures with captions, folder of tar shards, or one shard; or several of these. */
  readonly data: string | readonly string[];
  /** Part of the set to train on. */
  readonly split: string;
  /** Folder of the run. */
  readonly output: string;
  /** Height and width of the pictures in pixels. */
  readonly size: number;
  /** Whether half of the pictures are mirrored. */
  readonly flip: boolean;
  readonly steps: number;
  /** Pictures in one micro-batch. */
  readonly batchSize: number;
  /** Micro-batches whose gradients each step averages. */
  readonly accumulate: number;
  /** Threads that share a step's micro-batches. */
  readonly workers: number;
  /** Full learning rate. */
  readonly rate: number;
  /** Steps over which the rate rises. */
  readonly warmup: number;
  readonly schedule: "constant" | "cosine" | "lastThird";
  readonly optimizer: OptimizerConfig;
  /** Decay per step of the averaged copy; 0 keeps none. */
  readonly emaDecay: number;
  readonly seed: number;
  readonly checkpointEvery: number;
  /** Steps between measures on fixed pictures and noise, which are taken at the last step too; 0 takes none. */
  readonly measureEvery: number;
  readonly sample: SampleConfig;
}

/** Keys without a sensible default. */
export type RequiredCommon = "data" | "output" | "steps";

const { emaDecay: _emaDecay, ...optimizerDefaults } = defaultOptimizerSettings;

/** What a config of any kind says where it says nothing. */
export const commonDefaults: Omit<CommonConfig, RequiredCommon> = {
  split: "train",
  size: 64,
  flip: false,
  batchSize: 16,
  accumulate: 1,
  workers: 1,
  rate: 1e-4,
  warmup: 0,
  schedule: "constant",
  optimizer: optimizerDefaults,
  emaDecay: 0,
  seed: 0,
  checkpointEvery: 500,
  measureEvery: 0,
  sample: { prompts: [], every: 0, seed: 0, steps: 4, guidanceScale: 1 },
};

/** How the common keys are checked. */
export const commonShape: Shape<CommonConfig> = {
  data: textOrTexts("the folder of the pictures, a .tar shard, or a list of these"),
  split: text("the part of the data to train on, such as train"),
  output: text("the folder for the run"),
  size: whole(8, 4096),
  flip: flag(),
  steps: whole(1),
  batchSize: whole(1),
  accumulate: whole(1),
  workers: whole(1, 64),
  rate: positive(),
  warmup: whole(0),
  schedule: oneOf(["constant", "cosine", "lastThird"]),
  optimizer: section<OptimizerConfig>({
    beta1: between(0, 0.999999),
    beta2: between(0, 0.9999999),
    epsilon: positive(),
    weightDecay: between(0, Number.POSITIVE_INFINITY),
    maxGradientNorm: positive(),
  }),
  emaDecay: between(0, 0.9999999),
  seed: whole(0, 2 ** 32 - 1),
  checkpointEvery: whole(0),
  measureEvery: whole(0),
  sample: section<SampleConfig>({
    prompts: texts("a list of prompts"),
    every: whole(0),
    seed: whole(0, 2 ** 32 - 1),
    steps: whole(1, 1000),
    guidanceScale: between(0, 100),
  }),
};

/**
 * Checks what concerns several common keys.
 * @throws UsageError naming both.
 */
export function checkCommon(config: CommonConfig, place: string): void {
  const { accumulate, workers, warmup, steps } = config;
  if (accumulate % workers !== 0) {
    throw new UsageError(
      `${place}: "accumulate" must be a multiple of "workers", so that each thread has the same work, but they are ${accumulate} and ${workers}`,
    );
  }
  if (warmup > steps) {
    throw new UsageError(`${place}: "warmup" must be at most "steps", but they are ${warmup} and ${steps}`);
  }
}

/** The factor of the rate at each step that a config describes: its warm-up times its schedule. */
export function rateSchedule({ warmup, schedule, steps }: CommonConfig): RateSchedule {
  const decays: Readonly<Record<CommonConfig["schedule"], RateSchedule>> = {
    constant: constantRate,
    cosine: cosineDecay(warmup, steps),
    lastThird: decayOverLastThird(steps),
  };
  return product(linearWarmUp(warmup), decays[schedule]);
}

/** The engine's settings that a config describes. */
export function optimizerSettings({ optimizer, emaDecay }: CommonConfig): OptimizerSettings {
  return { ...optimizer, emaDecay };
}

/** Dotted keys that a resumed run may change, as they have no part in its numbers. */
export function freeKeys({ schedule }: CommonConfig): readonly string[] {
  const always = ["output", "checkpointEvery", "measureEvery", "sample"];
  // How long a constant rate lasts says nothing about the steps before.
  return schedule === "constant" ? [...always, "steps"] : always;
}
