import { writeInfotext } from "../formats/infotext.ts";
import { samplerTitles } from "../samplers/names.ts";
import type { SamplerChoices } from "../samplers/request.ts";
import type { DrawingPlan } from "./plan.ts";
import type { PromptSyntax } from "./prompt/syntax.ts";
import type { Size } from "./size.ts";

/** What a picture tells of how it was drawn. */
export interface PicturedDrawing extends DrawingPlan {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** As A1111 counts: 1 is the text encoder's last layer. */
  readonly clipSkip: number;
  readonly modelName: string;
  /** Words of textual inversion. */
  readonly embeddings: readonly string[];
  /** What was chosen with the sampler; nothing unless known. */
  readonly choices?: SamplerChoices;
  /** A1111's unless told. */
  readonly promptSyntax?: PromptSyntax;
  /** Unless known, pictures say nothing of LoRAs. */
  readonly picturedLoras?: PicturedLoras | undefined;
  readonly size: Size;
  /** Another autoencoder than the model's own. */
  readonly vae: string | undefined;
  /** The picture that drawing begins with, if there is one: how much of it is drawn anew, and how soft the mask's seam is. */
  readonly start: { readonly strength: number; readonly repaint: { readonly blur: number } | undefined } | undefined;
}

/** What a picture says of its LoRAs, as AUTOMATIC1111's web interface does. */
export interface PicturedLoras {
  /** The prompt with a tag for each. */
  readonly taggedPrompt: string;
  /** By the name in its tag. */
  readonly hashes: ReadonlyMap<string, string>;
}

/** A picture's settings in the text that image programs keep under `parameters`. */
export function pictureSettings(drawing: PicturedDrawing, seed: number, version: string): string {
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
  const settings = new Map<string, string>([
    ["Steps", String(steps)],
    ["Sampler", samplerTitles[sampler]],
    ...scheduleOf(drawing.choices ?? {}),
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
  const { promptSyntax = "a1111" } = drawing;
  if (promptSyntax !== "a1111") settings.set("Prompt syntax", promptSyntax);
  if (embeddings.length > 0) settings.set("Embeddings", embeddings.join(", "));
  const hashes = [...(picturedLoras?.hashes ?? [])].map(([name, hash]) => `${name}: ${hash}`);
  if (hashes.length > 0) settings.set("Lora hashes", hashes.join(", "));
  settings.set("Version", `fourstep ${version}`);
  return writeInfotext({ prompt: picturedLoras?.taggedPrompt ?? prompt, negativePrompt, settings });
}

/** How the noise levels or the timesteps are spread, as A1111 calls it; nothing where it is the sampler's usual way. */
function scheduleOf({ levels, spacing }: SamplerChoices): readonly (readonly [string, string])[] {
  const spread = levels === undefined || levels === "schedule" ? undefined : levels;
  const name = spread === undefined ? undefined : `${spread[0]!.toUpperCase()}${spread.slice(1)}`;
  const title = name ?? (spacing === "trailing" ? "SGM Uniform" : undefined);
  return title === undefined ? [] : [["Schedule type", title]];
}
