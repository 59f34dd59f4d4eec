import { batch } from "@preact/signals";
import { parseInfotext, parseLoraTags, samplerNamed } from "../../src/index.ts";
import { placePicture, sketchFromPicture } from "../sketch/sketch-state.ts";
import { tell } from "./notice.ts";
import { offers } from "./offers.ts";
import { pictureText } from "./picture-text.ts";
import { settings } from "./settings.ts";

/**
 * Takes a picture that was dropped or chosen: one that holds settings brings them back, with the sketch that it began with; any
 * other becomes a layer of the sketch.
 */
export async function takePicture(picture: Blob): Promise<void> {
  const { settings: text, sketch } = await pictureText(picture);
  if (text === undefined) {
    try {
      await placePicture(picture);
      settings.mode.value = "sketch";
      tell("The picture holds no settings; it is now a layer of the sketch.");
    } catch {
      tell("This file is no picture that the browser can read.");
    }
    return;
  }
  if (sketch !== undefined) await sketchFromPicture(sketch).catch(() => {});
  tell(["The picture's settings are back.", ...restoreSettings(text, sketch !== undefined)].join(" "));
}

/** Sets what a picture's text says; gives what could not be set, a sentence each. */
export function restoreSettings(text: string, hasSketch: boolean): readonly string[] {
  const { prompt, negativePrompt, settings: written } = parseInfotext(text);
  const told: string[] = [];
  const { prompt: bare, weights } = promptAndWeights(prompt, told);
  const number = (name: string): number | undefined => {
    const value = Number(written.get(name));
    return written.get(name) !== undefined && Number.isFinite(value) ? value : undefined;
  };
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(written.get("Size") ?? "") ?? [];
  const strength = number("Denoising strength");
  if (strength !== undefined && !hasSketch) told.push("It began with a picture that is not in it.");
  batch(() => {
    settings.prompt.value = bare;
    settings.negative.value = negativePrompt;
    settings.weights.value = weights;
    settings.sampler.value = samplerOf(written, told);
    settings.steps.value = number("Steps");
    settings.guidance.value = number("CFG scale");
    settings.seed.value = number("Seed") ?? settings.seed.peek();
    settings.seedLocked.value = true;
    settings.size.value = width === undefined ? undefined : { width: Number(width), height: Number(height) };
    settings.mode.value = hasSketch ? "sketch" : "type";
    if (strength !== undefined) settings.strength.value = strength;
    setModel(written.get("Model"), told);
  });
  return told;
}

/** Tags of LoRAs that have a slider here go to it; others stay in the prompt, where the drawer looks at them. */
function promptAndWeights(
  prompt: string,
  told: string[],
): { readonly prompt: string; readonly weights: Readonly<Record<string, number>> } {
  const known = new Set(offers.peek()?.loras.map(({ name }) => name));
  // A picture without a LoRA's tag was drawn without it.
  const weights: Record<string, number> = Object.fromEntries([...known].map((name) => [name, 0]));
  let bare = prompt;
  for (const { name, items, written } of parseLoraTags(prompt).loras) {
    const weight = Number(items[0] ?? "1");
    if (!known.has(name)) told.push(`There is no LoRA called ${name} here.`);
    if (!known.has(name) || items.length > 1 || !Number.isFinite(weight)) continue;
    weights[name] = weight;
    bare = bare.replace(written, "");
  }
  return { prompt: bare.trim(), weights };
}

function samplerOf(written: ReadonlyMap<string, string>, told: string[]): string | undefined {
  const name = written.get("Sampler");
  if (name === undefined) return undefined;
  const full = `${name} ${written.get("Schedule type") ?? ""}`.trim();
  for (const word of [full, name]) {
    const found = samplerNamed(word);
    if (found !== undefined) return Object.keys(found.choices).length === 0 ? found.name : word;
  }
  told.push(`There is no sampler called ${name} here.`);
  return undefined;
}

function setModel(name: string | undefined, told: string[]): void {
  const models = offers.peek()?.models ?? [];
  const found = models.find((model) => model.name === name);
  if (found !== undefined) settings.model.value = found.usual ? undefined : found.name;
  else if (name !== undefined) told.push(`It was drawn by the model ${name}, which is not here.`);
}
