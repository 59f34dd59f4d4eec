import { writeInfotext } from "../../formats/infotext.ts";
import type { DrawingPlan } from "../../generate/plan.ts";
import type { Size } from "../../generate/size.ts";
import { samplerTitles } from "../../samplers/names.ts";
import type { GivenStart } from "./given-start.ts";

/** What a drawing is made of, all choices made. */
export interface Drawing extends DrawingPlan {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** As A1111 counts: 1 is the text encoder's last layer. */
  readonly clipSkip: number;
  readonly modelName: string;
  /** Words of textual inversion. */
  readonly embeddings: readonly string[];
  readonly loras: readonly { readonly name: string; readonly weight: number }[];
  /** Unless known, pictures say nothing of LoRAs. */
  readonly picturedLoras?: PicturedLoras | undefined;
  readonly size: Size;
  /** Of the first picture. */
  readonly seed: number;
  /** Another autoencoder than the model's own. */
  readonly vae: string | undefined;
  /** The picture that drawing begins with, if there is one. */
  readonly start: GivenStart | undefined;
}

/** What a picture says of its LoRAs, as AUTOMATIC1111's web interface does. */
export interface PicturedLoras {
  /** The prompt with a tag for each. */
  readonly taggedPrompt: string;
  /** By the name in its tag. */
  readonly hashes: ReadonlyMap<string, string>;
}

/** A picture's settings in the text that image programs keep under `parameters`. */
export function pictureSettings(drawing: Drawing, seed: number, version: string): string {
  const {
    prompt,
    negativePrompt,
    clipSkip,
    sampler,
    steps,
    guidanceScale,
    size,
    modelName,
    embeddings,
    picturedLoras,
  } = drawing;
  const settings = new Map([
    ["Steps", String(steps)],
    ["Sampler", samplerTitles[sampler]],
    ["CFG scale", String(guidanceScale)],
    ["Seed", String(seed)],
    ["Size", `${size.width}x${size.height}`],
    ["Model", modelName],
  ]);
  if (drawing.vae !== undefined) settings.set("VAE", drawing.vae);
  if (drawing.start !== undefined) {
    settings.set("Denoising strength", String(drawing.start.strength));
    const { repaint } = drawing.start;
    if (repaint !== undefined) settings.set("Mask blur", String(repaint.blur));
  }
  if (clipSkip > 1) settings.set("Clip skip", String(clipSkip));
  if (embeddings.length > 0) settings.set("Embeddings", embeddings.join(", "));
  const hashes = [...(picturedLoras?.hashes ?? [])].map(([name, hash]) => `${name}: ${hash}`);
  if (hashes.length > 0) settings.set("Lora hashes", hashes.join(", "));
  settings.set("Version", `fourstep ${version}`);
  return writeInfotext({ prompt: picturedLoras?.taggedPrompt ?? prompt, negativePrompt, settings });
}
