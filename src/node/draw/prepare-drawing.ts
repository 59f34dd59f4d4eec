import { randomInt } from "node:crypto";
import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { UsageError } from "../../errors.ts";
import type { Acceleration } from "../../generate/acceleration.ts";
import { adapterWarnings, withLoraWords } from "../../generate/chosen-loras.ts";
import type { PromptReading } from "../../generate/conditioning.ts";
import type { Model } from "../../generate/model.ts";
import { planWarnings } from "../../generate/plan.ts";
import { planSampling, type SamplingWishes } from "../../generate/plan-sampling.ts";
import type { LearnedWord } from "../../generate/prompt/learned-words.ts";
import { promptWarnings } from "../../generate/prompt/prompt-warnings.ts";
import type { PromptSyntax } from "../../generate/prompt/syntax.ts";
import type { Size } from "../../generate/size.ts";
import type { Sampler } from "../../samplers/sampler.ts";
import { loraName } from "../lora-files.ts";
import type { ChosenAdapter } from "../open-model.ts";
import type { Accelerator } from "./choose-loras.ts";
import { type GivenStart, planStart, readStart, type StartWishes } from "./given-start.ts";
import type { Drawing, PicturedLoras } from "./picture-settings.ts";

/** What is to be drawn; what is left out is chosen to suit the model. */
export interface DrawingWishes extends StartWishes, SamplingWishes {
  readonly negative?: string;
  readonly promptSyntax: PromptSyntax;
  readonly clipSkip: number;
  /** Of the first picture; random unless told. */
  readonly seed?: number;
  readonly size?: Size;
}

/** What a drawing is made with. */
export interface DrawnWith {
  readonly model: Model;
  readonly modelName: string;
  readonly adapters: readonly ChosenAdapter[];
  readonly acceleration: Acceleration;
  /** The LoRA that accelerates; that which is not the model's own is told of. */
  readonly accelerator?: Accelerator | undefined;
  /** What pictures say of LoRAs; nothing unless given. */
  readonly picturedLoras?: PicturedLoras;
  /** Name of another autoencoder. */
  readonly name: string | undefined;
  readonly learnedWords: readonly LearnedWord[];
}

/** A drawing with what carries it out. */
export interface PreparedDrawing {
  readonly drawing: Drawing;
  readonly sampler: Sampler;
  readonly start: GivenStart | undefined;
  readonly reading: PromptReading;
  readonly warnings: readonly string[];
  /** What was chosen because of what was given, one sentence each. */
  readonly notes: readonly string[];
}

/** Seeds that are drawn when none is given: as many as torch's generator for the CPU tells apart. */
export const seeds: number = 2 ** 32;

/**
 * Makes all choices, and finds what is wrong with them before anything is compiled.
 * @param config of the model's scheduler
 * @throws UsageError when wishes do not go together or with the model; FormatError when a given picture cannot be read
 */
export async function prepareDrawing(
  config: SchedulerConfig,
  { model, modelName, adapters, acceleration, accelerator, picturedLoras, learnedWords, name: vae }: DrawnWith,
  prompt: string,
  wishes: DrawingWishes,
): Promise<PreparedDrawing> {
  const { negative: negativePrompt = "" } = wishes;
  const startPlan = planStart(wishes);
  const { plan, choices, sampler } = planSampling(config, acceleration, wishes, startPlan);
  if (sampler.adaptive === true && adapters.some((adapter) => adapter.steps !== undefined)) {
    throw new UsageError(
      `${plan.sampler} finds its steps itself, so that a LoRA's weight cannot change with them; choose another sampler.`,
    );
  }
  const { start, size } = await readStart(model, wishes, startPlan, wishes.size);
  const drawing: Drawing = {
    ...plan,
    prompt,
    negativePrompt,
    clipSkip: wishes.clipSkip,
    modelName,
    vae,
    embeddings: learnedWords.map(({ word }) => word),
    loras: adapters.map(({ path, weight }) => ({ name: loraName(path), weight })),
    picturedLoras,
    choices,
    promptSyntax: wishes.promptSyntax,
    size,
    seed: wishes.seed ?? randomInt(seeds),
    start,
  };
  const words = withLoraWords(learnedWords, adapters, model);
  const reading = { syntax: wishes.promptSyntax, clipSkip: wishes.clipSkip, learnedWords: words };
  const warnings = [
    ...planWarnings(plan, acceleration, negativePrompt),
    ...adapters.flatMap(adapterWarnings),
    ...promptWarnings(model, prompt, reading),
  ];
  const notes =
    accelerator === undefined || accelerator.own
      ? []
      : [
          `${accelerator.name} is ${accelerator.kind === "lcm-lora" ? "an LCM-LoRA" : accelerator.kind.title}: ${plan.sampler}, ${plan.steps} ${plan.steps === 1 ? "step" : "steps"}, guidance ${plan.guidanceScale}.`,
        ];
  return { drawing, sampler, start, reading, warnings, notes };
}
