import { UsageError } from "../../errors.ts";
import {
  type AcceleratingLora,
  type Acceleration,
  accelerationOfModel,
  publishedLcmLora,
} from "../../generate/acceleration.ts";
import { familyOf } from "../../generate/family.ts";
import { parseLoraTags, tagName, writeLoraTag } from "../../generate/prompt/lora-tags.ts";
import type { DiffusersModel } from "../../models/checkpoint/diffusers-folder.ts";
import type { HubOptions } from "../hub/snapshot.ts";
import { findLoraChoice, type GivenLora, knownNames, type LoraChoice, parseLoraChoice } from "../lora-choice.ts";
import { acceleratingLora, type LoraLibrary, loraLibrary, ownLcmLora, ownLoraFolder } from "../lora-files.ts";
import { loraHash } from "../lora-hash.ts";

/** What decides on LoRAs. */
export interface LoraWishes {
  /** As `parseLoraChoice` reads them. */
  readonly lora?: readonly string[];
  /** Folders that names are looked for in, before the model's own. */
  readonly loraDir?: readonly string[];
  /** Whether the model's own LCM-LoRA is used; by default, unless another sampler than lcm was asked for. */
  readonly lcm?: boolean;
  readonly sampler?: string;
  /** Hashes of LoRAs that the prompt names, as a picture tells them: a file with the hash may have another name now. */
  readonly loraHashes?: ReadonlyMap<string, string>;
}

/** The LoRAs of a drawing. */
export interface ChosenLoras {
  /** The prompts without their tags. */
  readonly prompt: string;
  readonly negativePrompt: string;
  /** The prompt as it is written into pictures: with a tag for each LoRA. */
  readonly taggedPrompt: string;
  readonly loras: readonly { readonly name: string; readonly choice: LoraChoice }[];
  /** That which makes the model draw in few steps, if one does. */
  readonly accelerator: Accelerator | undefined;
  readonly warnings: readonly string[];
}

/** A LoRA that accelerates. */
export interface Accelerator {
  readonly name: string;
  readonly kind: AcceleratingLora;
  /** Whether the model brings it along. */
  readonly own: boolean;
}

/** The model that LoRAs are chosen for. */
export interface LoraTarget {
  /** Its folder or file. */
  readonly path: string;
  readonly files: Pick<DiffusersModel, "unet">;
}

/** The texts of a drawing. */
export interface LoraPrompts {
  readonly prompt: string;
  readonly negativePrompt: string;
}

/**
 * The LoRAs to use: the model's own LCM-LoRA first, unless it is not wanted or another that accelerates was given; then those
 * given, then those that the prompt asks for as `<lora:name:weight>`. A name that the prompt alone knows is warned of.
 * @throws UsageError when a file is missing, a weight cannot be read, or the model has no LCM-LoRA and it was asked for
 */
export async function chooseLoras(
  target: LoraTarget,
  { prompt, negativePrompt }: LoraPrompts,
  { lora = [], loraDir = [], lcm, sampler, loraHashes: told = new Map() }: LoraWishes,
  hub: HubOptions,
): Promise<ChosenLoras> {
  const ownFolder = await ownLoraFolder(target.path);
  const library = await loraLibrary(ownFolder === undefined ? loraDir : [...loraDir, ownFolder]);
  const given: GivenLora[] = [];
  for (const text of lora) given.push(await parseLoraChoice(text, library, hub));
  const asked = await askedOf(prompt, library, told);
  const negative = parseLoraTags(negativePrompt);
  const warnings = [
    ...[...given, ...asked.loras].flatMap(ignoredOf),
    ...asked.warnings,
    ...negative.loras.map(
      ({ written }) => `LoRAs are asked for in the prompt; ${written} of the negative one is left out.`,
    ),
  ];
  const accelerated = await firstAccelerator([...given, ...asked.loras]);
  const wanted = lcm ?? (sampler === undefined || sampler === "lcm");
  const own = wanted && accelerated === undefined ? await ownLora(target, lcm === true) : undefined;
  const added = own === undefined ? given : [own, ...given];
  const active = accelerated === undefined || accelerated.lora.choice.weight === 0 ? undefined : accelerated;
  return {
    prompt: asked.text,
    negativePrompt: negative.text,
    taggedPrompt: [prompt, ...added.map(({ name, strength }) => writeLoraTag(name, strength))].join(" ").trim(),
    loras: [...added, ...asked.loras],
    accelerator:
      own !== undefined
        ? { name: own.name, kind: "lcm-lora", own: true }
        : active && { name: active.lora.name, kind: active.kind, own: false },
    warnings,
  };
}

/** The LoRAs that a prompt asks for. */
async function askedOf(
  prompt: string,
  library: LoraLibrary,
  hashes: ReadonlyMap<string, string>,
): Promise<{ readonly text: string; readonly loras: readonly GivenLora[]; readonly warnings: readonly string[] }> {
  const { text, loras: tags, others } = parseLoraTags(prompt);
  const loras: GivenLora[] = [];
  const warnings = others.map((tag) => `${tag} asks for a network of a kind that is not known; it is left out.`);
  for (const { name, items, written } of tags) {
    const hash = hashes.get(name);
    const found =
      (await findLoraChoice(name, items, written, library)) ?? (await byHash(name, hash, items, written, library));
    if (found !== undefined) {
      loras.push(found);
      if (hash !== undefined && (await loraHash(found.choice.path)) !== hash)
        warnings.push(`${name} is another file than the one that the picture was drawn with.`);
    } else {
      const known = await knownNames(library, "; there are ");
      const folders = known === "" ? "; give the folder of your LoRAs with --lora-dir" : known;
      warnings.push(`${written} is left out, since no LoRA is called ${name}${folders}.`);
    }
  }
  return { text, loras, warnings };
}

/** A LoRA that has another name now. */
async function byHash(
  name: string,
  hash: string | undefined,
  items: readonly string[],
  written: string,
  library: LoraLibrary,
): Promise<GivenLora | undefined> {
  if (hash === undefined) return undefined;
  for (const known of await library.names()) {
    const found = await findLoraChoice(known, items, written, library);
    if (found !== undefined && (await loraHash(found.choice.path).catch(() => undefined)) === hash)
      return { ...found, name };
  }
  return undefined;
}

const ignoredOf = ({ name, ignored }: GivenLora): string[] =>
  ignored.map((item) => `${name}: "${item}" has no effect here.`);

async function firstAccelerator(
  loras: readonly GivenLora[],
): Promise<{ readonly lora: GivenLora; readonly kind: AcceleratingLora } | undefined> {
  for (const lora of loras) {
    const kind = await acceleratingLora(lora.choice.path);
    if (kind !== undefined) return { lora, kind };
  }
  return undefined;
}

async function ownLora({ path, files }: LoraTarget, required: boolean): Promise<GivenLora | undefined> {
  const own = await ownLcmLora(path);
  if (own !== undefined) return { choice: { path: own, weight: 1 }, name: "lcm-lora", strength: "1", ignored: [] };
  if (!required) return undefined;
  const family = familyOf(files.unet.config)?.name;
  const published = family === undefined ? undefined : publishedLcmLora(family);
  const advice =
    family === undefined
      ? "give it with --lora."
      : published === undefined
        ? `for ${family} none is published: train one with fourstep train lcd.`
        : `for ${family} there is --lora ${published}.`;
  throw new UsageError(`${path}: --lcm was given, but there is no lora/lcm-lora.safetensors; ${advice}`);
}

/** What makes a model draw in few steps, with these LoRAs. */
export function accelerationOf(
  files: Pick<DiffusersModel, "unet" | "scheduler">,
  { accelerator }: Pick<ChosenLoras, "accelerator">,
): Acceleration {
  return accelerationOfModel(files, accelerator?.kind);
}

/** The hashes of LoRAs as pictures name them. */
export async function loraHashes({ loras }: Pick<ChosenLoras, "loras">): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const { name, choice } of loras) hashes.set(tagName(name), await loraHash(choice.path));
  return hashes;
}
