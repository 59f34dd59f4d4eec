import { UsageError } from "../errors.ts";
import type { LoraChoice } from "../generate/chosen-loras.ts";
import { parseLoraStrength } from "../generate/prompt/lora-strength.ts";
import { resolveFile } from "./hub/models.ts";
import { parseHubReference } from "./hub/reference.ts";
import type { HubOptions } from "./hub/snapshot.ts";
import { adapterFileIn, isFile, type LoraLibrary, loraName } from "./lora-files.ts";

export type { LoraChoice };

/** A LoRA as people wrote it. */
export interface GivenLora {
  readonly choice: LoraChoice;
  readonly name: string;
  /** What was said of its strength, as a prompt's tag says it. */
  readonly strength: string;
  /** What has no effect. */
  readonly ignored: readonly string[];
}

/**
 * A LoRA as people write it: a file, a folder that PEFT or diffusers wrote, a name in the library or a hub's `owner/name`, then, after colons, what
 * `parseLoraStrength` reads, e.g. `style.safetensors:0.8:up=1,down=0`. A colon may be part of a file's name.
 * @throws UsageError when there is no such file, or its strength cannot be read
 */
export async function parseLoraChoice(text: string, library: LoraLibrary, hub: HubOptions): Promise<GivenLora> {
  const { path, rest } =
    (await splitPath(text, library)) ?? (await fetched(text, hub)) ?? (await unknown(text, library));
  const items = rest === "" ? [] : rest.slice(1).split(":");
  return givenLora(path, loraName(path), items, text);
}

/** The same for a name in the library whose strength is split already; undefined when there is no such name. */
export async function findLoraChoice(
  name: string,
  items: readonly string[],
  written: string,
  library: LoraLibrary,
): Promise<GivenLora | undefined> {
  const path = await library.find(name);
  return path === undefined ? undefined : givenLora(path, name, items, written);
}

function givenLora(path: string, name: string, items: readonly string[], written: string): GivenLora {
  const { strength, ignored } = parseLoraStrength(items, written);
  // In a tag, block weights with names need one before them: there, `=` names an item.
  const blocks = (item: string): boolean =>
    item.includes("=") && !/^(te|unet|lbwe?|w|start|stop|step|dyn|x)=/.test(item);
  const told = items.map((item) => (blocks(item) ? `lbw=${item}` : item));
  if (told.length === 0 || told[0]!.startsWith("lbw=")) told.unshift("1");
  return { choice: { path, ...strength }, name, strength: told.join(":"), ignored };
}

interface Split {
  readonly path: string;
  /** What follows, with its colon. */
  readonly rest: string;
}

/** The longest beginning that is a file or a name. */
async function splitPath(text: string, library: LoraLibrary): Promise<Split | undefined> {
  for (let end = text.length; end > 0; end = text.lastIndexOf(":", end - 1)) {
    const name = text.slice(0, end);
    const path = (await isFile(name)) ? name : ((await adapterFileIn(name)) ?? (await library.find(name)));
    if (path !== undefined) return { path, rest: text.slice(end) };
  }
  return undefined;
}

async function fetched(text: string, hub: HubOptions): Promise<Split | undefined> {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  if (parseHubReference(name) === undefined) return undefined;
  return { path: await resolveFile(name, hub), rest: text.slice(name.length) };
}

async function unknown(text: string, library: LoraLibrary): Promise<never> {
  throw new UsageError(
    `${text}: there is no such LoRA file; give a safetensors file, or FILE:weight${await knownNames(library, ", or a name: ")}.`,
  );
}

/** The first names of a library, behind a lead; nothing when it is empty. */
export async function knownNames(library: LoraLibrary, lead: string): Promise<string> {
  const names = await library.names();
  const shown = names.slice(0, 8).join(", ");
  return names.length === 0 ? "" : `${lead}${shown}${names.length > 8 ? ", ..." : ""}`;
}
