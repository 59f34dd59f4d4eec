import type { Infotext } from "../../formats/infotext.ts";
import { type PromptSyntax, promptSyntaxes } from "../../generate/prompt/syntax.ts";
import { type NamedSampler, samplerNamed } from "../../samplers/names.ts";
import type { DrawingWishes } from "./prepare-drawing.ts";

/** What a picture says of how it was drawn. */
export interface RestoredWishes {
  /** With the tags of its LoRAs. */
  readonly prompt: string;
  readonly wishes: Partial<Omit<DrawingWishes, "init" | "mask">>;
  /** Hashes of its LoRAs, by the name in their tags. */
  readonly loraHashes: ReadonlyMap<string, string>;
  /** What else it was drawn with, which must be given anew. */
  readonly model: string | undefined;
  readonly vae: string | undefined;
  readonly embeddings: string | undefined;
  readonly beganWithPicture: boolean;
  readonly warnings: readonly string[];
}

/** Reads the settings in a picture's text, as this program and AUTOMATIC1111's web interface write them. */
export function restoredWishes({ prompt, negativePrompt, settings }: Infotext): RestoredWishes {
  const warnings: string[] = [];
  const number = (name: string, field: keyof DrawingWishes, lowest: number): Partial<DrawingWishes> => {
    const text = settings.get(name);
    const value = Number(text);
    return text === undefined || text === "" || !(Number.isFinite(value) && value >= lowest) ? {} : { [field]: value };
  };
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(settings.get("Size") ?? "") ?? [];
  const sampler = samplerOf(settings);
  if (sampler === undefined && settings.has("Sampler")) {
    warnings.push(`the picture's sampler "${settings.get("Sampler")}" is not known; another one is used.`);
  }
  if (settings.get("Version")?.startsWith("fourstep ") !== true) {
    warnings.push("the picture was drawn by another program, whose noise for a seed may be another one.");
  }
  const syntax = promptSyntaxes.find((one) => one === settings.get("Prompt syntax"));
  return {
    prompt,
    wishes: {
      ...(negativePrompt === "" ? {} : { negative: negativePrompt }),
      ...(sampler === undefined ? {} : { sampler }),
      ...number("Steps", "steps", 1),
      ...number("CFG scale", "guidance", 0),
      ...number("Seed", "seed", 0),
      ...number("Clip skip", "clipSkip", 1),
      ...number("Denoising strength", "strength", 0),
      ...number("Mask blur", "maskBlur", 0),
      ...(width === undefined || height === undefined
        ? {}
        : { size: { width: Number(width), height: Number(height) } }),
      ...(syntax === undefined ? {} : { promptSyntax: syntax as PromptSyntax }),
    },
    loraHashes: hashesOf(settings.get("Lora hashes") ?? ""),
    model: settings.get("Model"),
    vae: settings.get("VAE"),
    embeddings: settings.get("Embeddings"),
    beganWithPicture: settings.has("Denoising strength"),
    warnings,
  };
}

function samplerOf(settings: ReadonlyMap<string, string>): NamedSampler | undefined {
  const name = settings.get("Sampler") ?? "";
  return samplerNamed(`${name} ${settings.get("Schedule type") ?? ""}`) ?? samplerNamed(name);
}

/** `name: hash, name: hash`. */
function hashesOf(text: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const pair of text.split(",")) {
    const colon = pair.indexOf(":");
    const [name, hash] = [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()];
    if (colon > 0 && /^[0-9a-f]{6,64}$/i.test(hash)) hashes.set(name, hash.toLowerCase());
  }
  return hashes;
}
