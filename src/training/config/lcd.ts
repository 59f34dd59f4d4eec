import type { RequiredCommon } from "./common.ts";
import {
  type ConsistencyTrainingConfig,
  consistencyTrainingDefaults,
  consistencyTrainingShape,
} from "./consistency.ts";
import { type Shape, section, texts, whole } from "./fields.ts";

/** The small set that a run draws to measure itself: the distance of its pictures from the teacher's. */
export interface MeasureConfig {
  /** One a picture; where there are none, captions from all over the training set. */
  readonly prompts: readonly string[];
  /** Pictures of the set where no prompts are given. */
  readonly pictures: number;
  /** Sampling steps of the student. */
  readonly steps: number;
  /** Steps of DDIM that count as the teacher's fine solution. */
  readonly teacherSteps: number;
  /** Of the noise. */
  readonly seed: number;
}

/** Config of `train lcd`: latent consistency distillation, Algorithm 1 of the paper. */
export interface LcdTrainingConfig extends ConsistencyTrainingConfig {
  /** Width of the embedding of omega that a full model gets. */
  readonly guidanceWidth: number;
  /** What is measured every `measureEvery` steps; the best weights by it are the result. */
  readonly measure: MeasureConfig;
}

/** What a config says where it says nothing: the published settings of LCM-LoRA. */
export const lcdTrainingDefaults: Omit<LcdTrainingConfig, RequiredCommon | "base"> = {
  ...consistencyTrainingDefaults,
  guidanceWidth: 256,
  measureEvery: 100,
  measure: { prompts: [], pictures: 16, steps: 4, teacherSteps: 50, seed: 0 },
};

/** How each key is checked. */
export const lcdTrainingShape: Shape<LcdTrainingConfig> = {
  ...consistencyTrainingShape,
  guidanceWidth: whole(2, 65_536),
  measure: section<MeasureConfig>({
    prompts: texts("a list of prompts"),
    pictures: whole(2, 1024),
    steps: whole(1, 50),
    teacherSteps: whole(1, 1000),
    seed: whole(0, 2 ** 32 - 1),
  }),
};
