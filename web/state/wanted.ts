import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { ChosenLora, DrawRequest } from "../drawer.ts";
import type { SketchDocument, Stroke } from "../sketch/document.ts";
import { liveStroke, sketch, sketchIsBlank } from "../sketch/sketch-state.ts";
import { accelerator, offers } from "./offers.ts";
import { settings } from "./settings.ts";

/** What the page wants to be drawn now. */
export interface Wanted {
  /** Without the seed where each picture is to have another one. */
  readonly request: Omit<DrawRequest, "previews" | "seed" | "init"> & { readonly seed: number | undefined };
  /** What the picture begins with. */
  readonly sketch: { readonly document: SketchDocument; readonly live: Stroke | undefined } | undefined;
  /** In how many steps DDIM draws the same beside it. */
  readonly compareSteps: number | undefined;
  /** Grows when the same is to be drawn once more. */
  readonly round: number;
}

/** Whether two wishes are for the same picture; a space after the last word makes no other one. */
export function wantsTheSame(a: Wanted, b: Wanted): boolean {
  return (
    a.round === b.round &&
    a.compareSteps === b.compareSteps &&
    a.sketch?.document === b.sketch?.document &&
    a.sketch?.live === b.sketch?.live &&
    JSON.stringify(a.request) === JSON.stringify(b.request)
  );
}

/** What a model that an LCM-LoRA accelerates is drawn with unless the user says otherwise. */
export const acceleratedPlan: { readonly sampler: string; readonly steps: number; readonly guidance: number } = {
  sampler: "lcm",
  steps: 4,
  guidance: 1,
};

const again: Signal<number> = signal(0);

/** Draws once more, though nothing changed. */
export function drawAgain(): void {
  again.value++;
}

/** A LoRA's weight, chosen or usual. */
export function weightOf(name: string): number {
  return settings.weights.value[name] ?? (name === accelerator.value ? 1 : 0);
}

/** LoRAs that have an effect, with their weights. */
const chosenLoras: ReadonlySignal<readonly ChosenLora[]> = computed(() =>
  (offers.value?.loras ?? [])
    .map(({ name }) => ({ name, weight: weightOf(name) }))
    .filter(({ weight }) => weight !== 0),
);

/** Undefined while there is nothing to draw, or it is not known what with. */
export const wanted: ReadonlySignal<Wanted | undefined> = computed(() => {
  const prompt = settings.prompt.value.trim();
  const sketching = settings.mode.value === "sketch" && !sketchIsBlank.value;
  if (offers.value === undefined || (prompt === "" && !sketching)) return undefined;
  const { sampler, steps, guidance } = accelerator.value === undefined ? {} : acceleratedPlan;
  const request = {
    prompt,
    negative: settings.negative.value.trim(),
    loras: chosenLoras.value,
    // Its slider stands for the model's own LCM-LoRA, also at 0.
    ...(accelerator.value === undefined ? {} : { lcm: false }),
    ...given("model", settings.model.value),
    ...given("sampler", settings.sampler.value ?? sampler),
    ...given("steps", settings.steps.value ?? steps),
    ...given("guidance", settings.guidance.value ?? guidance),
    ...given("size", settings.size.value),
    ...(sketching ? { strength: settings.strength.value } : {}),
    seed: settings.seedLocked.value ? settings.seed.value : undefined,
  };
  return {
    request,
    sketch: sketching ? { document: sketch.value, live: liveStroke.value } : undefined,
    compareSteps: settings.compare.value ? settings.compareSteps.value : undefined,
    round: again.value,
  };
});

function given<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]: V });
}
