import type { Signal } from "@preact/signals";
import {
  isNumber,
  isNumberOrNone,
  isOneOf,
  isSizeOrNone,
  isText,
  isTextOrNone,
  isWeights,
  isYesNo,
  storedSignal,
} from "./stored-signal.ts";

/** Whether pictures come from the prompt alone, or begin with the sketch. */
export type Mode = "type" | "sketch";

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What the user chose; kept in the browser. What is undefined suits the model. */
export const settings: {
  readonly prompt: Signal<string>;
  readonly negative: Signal<string>;
  readonly mode: Signal<Mode>;
  readonly model: Signal<string | undefined>;
  readonly sampler: Signal<string | undefined>;
  readonly steps: Signal<number | undefined>;
  readonly guidance: Signal<number | undefined>;
  readonly seed: Signal<number>;
  /** Whether the seed stays from one picture to the next. */
  readonly seedLocked: Signal<boolean>;
  readonly strength: Signal<number>;
  readonly size: Signal<Size | undefined>;
  /** By the LoRA's name; what is not there has its usual weight: 1 where it accelerates, else 0. */
  readonly weights: Signal<Readonly<Record<string, number>>>;
  /** Whether DDIM draws the same beside it, and in how many steps. */
  readonly compare: Signal<boolean>;
  readonly compareSteps: Signal<number>;
} = {
  prompt: storedSignal("prompt", "", isText),
  negative: storedSignal("negative", "", isText),
  mode: storedSignal<Mode>("mode", "type", isOneOf("type", "sketch")),
  model: storedSignal<string | undefined>("model", undefined, isTextOrNone),
  sampler: storedSignal<string | undefined>("sampler", undefined, isTextOrNone),
  steps: storedSignal<number | undefined>("steps", undefined, isNumberOrNone),
  guidance: storedSignal<number | undefined>("guidance", undefined, isNumberOrNone),
  seed: storedSignal("seed", 7, isNumber),
  seedLocked: storedSignal("seedLocked", true, isYesNo),
  strength: storedSignal("strength", 0.7, isNumber),
  size: storedSignal<Size | undefined>("size", undefined, isSizeOrNone),
  weights: storedSignal<Readonly<Record<string, number>>>("weights", {}, isWeights),
  compare: storedSignal("compare", false, isYesNo),
  compareSteps: storedSignal("compareSteps", 32, isNumber),
};

const seeds = 2 ** 32;

/** A seed that nobody chose. */
export const randomSeed = (): number => Math.floor(Math.random() * seeds);

/** Sets a LoRA's weight. */
export function setWeight(name: string, weight: number): void {
  settings.weights.value = { ...settings.weights.peek(), [name]: weight };
}
