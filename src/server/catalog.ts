import { readdir, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { isFile, loraLibrary, ownLoraFolder } from "../node/lora-files.ts";

/** A model that this server draws with. */
export interface CatalogModel {
  /** By which requests name it. */
  readonly name: string;
  readonly path: string;
  /** When its folder or file was last changed, in milliseconds since 1970. */
  readonly changed: number;
}

/** What requests may name: the models and LoRAs of the folders that the server was given, and nothing else. */
export interface Catalog {
  /** That of requests which name none. */
  readonly usual: CatalogModel;
  readonly loraFolders: readonly string[];
  /** Found anew at each call, so that models may be added while the server runs; the usual one comes first. */
  models(): Promise<readonly CatalogModel[]>;
  /** A model by its name, with or without the ending of its file. */
  find(name: string): Promise<CatalogModel | undefined>;
  /** LoRAs for a model: those of the folders, and its own. */
  loras(model: CatalogModel): Promise<readonly CatalogLora[]>;
}

export interface CatalogLora {
  readonly name: string;
  readonly path: string;
}

/** What the server was given. */
export interface CatalogOptions {
  /** Folder or file of the model that is drawn with unless told. */
  readonly model: string;
  /** Folders whose folders and files are models. */
  readonly modelFolders: readonly string[];
  readonly loraFolders: readonly string[];
}

const modelEndings: ReadonlySet<string> = new Set([".safetensors", ".ckpt"]);

/** @throws UsageError when the model or a folder is missing */
export async function openCatalog({ model, modelFolders, loraFolders }: CatalogOptions): Promise<Catalog> {
  const usual = await modelAt(resolve(model));
  if (usual === undefined) {
    throw new UsageError(`${model}: there is no such model; give a folder that holds model_index.json, or a file.`);
  }
  for (const folder of [...modelFolders, ...loraFolders]) {
    if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) {
      throw new UsageError(`${folder}: there is no such folder.`);
    }
  }
  const models = async (): Promise<readonly CatalogModel[]> => {
    const found = new Map([[usual.name, usual]]);
    for (const folder of modelFolders) {
      for (const entry of (await readdir(folder)).sort()) {
        const one = await modelAt(resolve(folder, entry));
        if (one !== undefined && !found.has(one.name)) found.set(one.name, one);
      }
    }
    return [...found.values()];
  };
  return {
    usual,
    loraFolders,
    models,
    async find(name) {
      const known = await models();
      return known.find((one) => one.name === name) ?? known.find((one) => basename(one.path) === name);
    },
    async loras({ path }) {
      const own = await ownLoraFolder(path);
      const library = await loraLibrary(own === undefined ? loraFolders : [...loraFolders, own]);
      const found: CatalogLora[] = [];
      for (const name of new Set(await library.names())) {
        const file = await library.find(name);
        if (file !== undefined) found.push({ name, path: file });
      }
      return found;
    },
  };
}

/** The model of a folder as diffusers writes it, or of a file; undefined for all else. */
async function modelAt(path: string): Promise<CatalogModel | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  const changed = Math.round(info.mtimeMs);
  if (info.isFile()) {
    return modelEndings.has(extname(path)) ? { name: basename(path, extname(path)), path, changed } : undefined;
  }
  return (await isFile(join(path, "model_index.json"))) ? { name: basename(path), path, changed } : undefined;
}
