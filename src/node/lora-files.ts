import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { UsageError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { readSafetensorsHeader } from "../formats/safetensors.ts";
import { type AcceleratingLora, accelerationOfNames, namesInMetadata } from "../generate/acceleration.ts";
import { cachedRepository } from "./hub/cache.ts";

/** LoRAs that are found by name: folders with all that lies in them. */
export interface LoraLibrary {
  /**
   * The file of a name: its path within a folder or its own name, with or without ending, or else the name that its
   * metadata give it (`ss_output_name`); undefined when there is none. Earlier folders come first.
   * @throws UsageError when several files of a folder have the name
   */
  find(name: string): Promise<string | undefined>;
  /** Names of all LoRAs, by their paths within the folders. */
  names(): Promise<readonly string[]>;
}

/** Endings of LoRAs' files, the preferred first. */
const endings = [".safetensors", ".pt", ".bin", ".ckpt"] as const;

interface LoraFile {
  readonly path: string;
  /** Within its folder, without ending, with forward slashes. */
  readonly name: string;
}

/** @throws UsageError when a folder is missing; the folders are read when a name is first asked for */
export async function loraLibrary(folders: readonly string[]): Promise<LoraLibrary> {
  for (const folder of folders) {
    const isFolder = (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
    if (!isFolder) throw new UsageError(`${folder}: there is no such folder; give one that holds LoRAs.`);
  }
  let read: Promise<readonly (readonly LoraFile[])[]> | undefined;
  const shelves = (): Promise<readonly (readonly LoraFile[])[]> => {
    read ??= Promise.all(folders.map(loraFiles));
    return read;
  };
  return {
    async find(name) {
      const wanted = withoutEnding(name.replaceAll("\\", "/"));
      for (const files of await shelves()) {
        const found = files.find((file) => file.name === wanted) ?? only(wanted, files, (file) => basename(file.name));
        if (found !== undefined) return found.path;
      }
      for (const files of await shelves()) {
        const aliases = new Map<LoraFile, string | undefined>();
        for (const file of files) aliases.set(file, (await loraMetadata(file.path)).get("ss_output_name"));
        const found = only(wanted, files, (file) => aliases.get(file));
        if (found !== undefined) return found.path;
      }
      return undefined;
    },
    names: async () => (await shelves()).flat().map(({ name }) => name),
  };
}

function only(
  wanted: string,
  files: readonly LoraFile[],
  nameOf: (file: LoraFile) => string | undefined,
): LoraFile | undefined {
  const [first, second] = files.filter((file) => nameOf(file) === wanted);
  if (first === undefined || second === undefined) return first;
  throw new UsageError(
    `${wanted}: several LoRAs are called so, ${first.name} and ${second.name}; name its folder, too.`,
  );
}

async function loraFiles(folder: string): Promise<LoraFile[]> {
  const entries: Dirent[] = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: LoraFile[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (withoutEnding(entry.name) === entry.name || !(await isFile(path))) continue;
    files.push({ path, name: withoutEnding(relative(folder, path).split(sep).join("/")) });
  }
  const order = ({ path }: LoraFile): number => (endings as readonly string[]).indexOf(extname(path));
  return files.sort((a, b) => a.name.localeCompare(b.name, "en") || order(a) - order(b));
}

const withoutEnding = (name: string): string =>
  endings.some((ending) => extname(name) === ending) ? name.slice(0, -extname(name).length) : name;

/** The folder in which a model, a folder or a file, brings LoRAs of its own along. */
export async function ownLoraFolder(model: string): Promise<string | undefined> {
  const folder = join((await isFile(model)) ? dirname(model) : model, "lora");
  return (await stat(folder).catch(() => undefined))?.isDirectory() === true ? folder : undefined;
}

/** The acceleration vector that a model brings along, if it does. */
export async function ownLcmLora(model: string): Promise<string | undefined> {
  const path = join((await ownLoraFolder(model)) ?? model, "lcm-lora.safetensors");
  return (await isFile(path)) ? path : undefined;
}

/** The name that LoRAs on model hubs share; there, the repository says which one it is. */
const hubName = "pytorch_lora_weights";

/** The name that PEFT gives to an adapter's file, beside `adapter_config.json`. */
const peftName = "adapter_model";

/** The adapter in a folder that PEFT or diffusers wrote; undefined when it holds none. */
export async function adapterFileIn(folder: string): Promise<string | undefined> {
  for (const name of [peftName, hubName]) {
    for (const ending of endings) {
      const path = join(folder, `${name}${ending}`);
      if (await isFile(path)) return path;
    }
  }
  return undefined;
}

/** What people call a LoRA's file: its name without ending, or else its repository or folder. */
export function loraName(path: string): string {
  const full = resolve(path);
  const name = withoutEnding(basename(full));
  if (name !== hubName && name !== peftName) return name;
  const repository = cachedRepository(full);
  return repository === undefined ? basename(dirname(full)) : repository.slice(repository.indexOf("/") + 1);
}

/**
 * Whether a LoRA accelerates, and by what: published ones say so in their file's name, in their repository's or in their
 * metadata.
 */
export async function acceleratingLora(path: string): Promise<AcceleratingLora | undefined> {
  return accelerationOfNames([loraName(path)]) ?? accelerationOfNames(namesInMetadata(await loraMetadata(path)));
}

/** The metadata of a LoRA's file; none of a file that has none or cannot be read, which loading it will tell. */
export async function loraMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    await using source = await openFileSource(path);
    return (await readSafetensorsHeader(source)).metadata;
  } catch {
    return new Map();
  }
}

export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
