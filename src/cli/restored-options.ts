import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { infotextKeyword, parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { parseLoraTags } from "../generate/prompt/lora-tags.ts";
import { restoredWishes } from "../node/draw/restored-wishes.ts";
import { type CliContext, warn } from "./command.ts";
import type { GenerateOptions } from "./draw-pictures.ts";

/**
 * The prompt and options of `fourstep generate --like PICTURE`: those of the picture, but for what was given.
 * @param given whether an option was given, not filled in
 * @throws UsageError when the picture cannot be read or says nothing of how it was drawn
 */
export async function restoredOptions(
  picture: string,
  prompt: string,
  options: GenerateOptions,
  given: (option: string) => boolean,
  context: CliContext,
): Promise<readonly [string, GenerateOptions]> {
  const bytes = await readFile(picture).catch((cause: unknown) => {
    throw new UsageError(`${picture}: the picture cannot be read; check the path.`, { cause });
  });
  const text = (await readPngText(bytes, basename(picture))).get(infotextKeyword);
  const restored = restoredWishes(parseInfotext(text ?? ""));
  if (text === undefined || restored.wishes.steps === undefined) {
    throw new UsageError(`${picture}: this picture does not say how it was drawn.`);
  }
  const { strength, maskBlur, ...wishes } = restored.wishes;
  const warnings = [
    ...restored.warnings,
    ...(restored.beganWithPicture && options.init === undefined
      ? ["the picture was drawn from another one; give it with --init."]
      : []),
    ...(restored.vae !== undefined && options.vae === undefined
      ? [`the picture was drawn with the autoencoder ${restored.vae}; give it with --vae.`]
      : []),
    ...(restored.embeddings !== undefined && options.embedding === undefined
      ? [`the picture was drawn with the words ${restored.embeddings}; give their files with --embedding.`]
      : []),
  ];
  for (const sentence of warnings) warn(context, sentence);
  const own = Object.fromEntries(Object.entries(options).filter(([name]) => given(name)));
  const merged: GenerateOptions = {
    ...options,
    ...wishes,
    ...(options.init === undefined || strength === undefined ? {} : { strength }),
    ...(options.mask === undefined || maskBlur === undefined ? {} : { maskBlur }),
    // The picture's tags name all of its LoRAs.
    lcm: false,
    ...own,
    loraHashes: restored.loraHashes,
    likeModel: restored.model,
  };
  return [prompt === "" ? restored.prompt : withTags(prompt, restored.prompt), merged];
}

/** A prompt with the other's LoRAs, but for those that it asks for itself. */
function withTags(prompt: string, other: string): string {
  const own = new Set(parseLoraTags(prompt).loras.map(({ name }) => name));
  const tags = parseLoraTags(other).loras.filter(({ name }) => !own.has(name));
  return [prompt, ...tags.map(({ written }) => written)].join(" ");
}
