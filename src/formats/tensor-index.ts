import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { field, isJsonObject, type JsonObject, kindOf, parseJsonObject, shorten } from "./json.ts";
import { openTensorFile } from "./open-tensor-file.ts";
import type { LocatedTensor, TensorFile } from "./tensor-file.ts";

/** Where an index and its shards are looked for; paths are relative to it, with forward slashes. */
export interface ShardFolder {
  /** What errors call it. */
  readonly name: string;
  exists(path: string): Promise<boolean>;
  /** A whole text file. */
  readText(path: string): Promise<string>;
  /** A file for reading by range. */
  source(path: string): Promise<ByteSource>;
}

/**
 * Opens the files that an index names as one set of tensors: `*.safetensors.index.json` and `pytorch_model.bin.index.json`, as
 * Hugging Face's libraries write them. The index says in which file each tensor lies; tensors of these files that it does not
 * mention belong to the set as well. `path` is the index's; its files lie beside it.
 * @throws FormatError naming the index or the file, when one is missing or damaged, lies elsewhere, or lacks a tensor
 */
export async function openTensorIndex(folder: ShardFolder, path: string): Promise<TensorFile> {
  const place = `${folder.name}/${path}`;
  const fileOf = weightMap(parseJsonObject(await folder.readText(path), place), place);
  const beside = path.slice(0, path.lastIndexOf("/") + 1);
  const files = [...new Set(fileOf.values())].sort();
  for (const file of files) {
    if (!(await folder.exists(beside + file))) throw new FormatError(`${place}: its file ${file} is missing.`);
  }
  const shards = new Map<string, TensorFile>();
  for (const file of files) shards.set(file, await openTensorFile(await folder.source(beside + file)));
  const tensors = new Map<string, LocatedTensor>();
  for (const [name, file] of fileOf) {
    const located = shards.get(file)?.tensors.get(name);
    if (located === undefined)
      throw new FormatError(`${place}: the tensor "${shorten(name)}" is missing from ${file}.`);
    tensors.set(name, located);
  }
  for (const [file, shard] of shards) addUnlisted(tensors, shard, file, fileOf, place);
  return {
    name: place,
    format: "sharded",
    tensors,
    metadata: new Map([...shards.values()].flatMap((shard) => [...shard.metadata])),
    content: undefined,
    inertClasses: [...new Set([...shards.values()].flatMap((shard) => shard.inertClasses))].sort(),
  };
}

function addUnlisted(
  tensors: Map<string, LocatedTensor>,
  shard: TensorFile,
  file: string,
  fileOf: ReadonlyMap<string, string>,
  place: string,
): void {
  for (const [name, located] of shard.tensors) {
    if (fileOf.has(name)) continue;
    if (tensors.has(name)) {
      throw new FormatError(
        `${place}: "${shorten(name)}" lies in ${file} and in another file, and the index names neither.`,
      );
    }
    tensors.set(name, located);
  }
}

function weightMap(index: JsonObject, place: string): Map<string, string> {
  const map = field(index, "weight_map");
  if (!isJsonObject(map)) throw new FormatError(`${place}: "weight_map" must be an object, but it is ${kindOf(map)}.`);
  const fileOf = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    // A path could lead anywhere, and so could a name with a drive or a stream.
    if (typeof file !== "string" || !/^[\w-][\w. -]*$/.test(file)) {
      throw new FormatError(
        `${place}: the tensor "${shorten(name)}" must lie in a file beside the index, but its file is ${kindOf(file)}.`,
      );
    }
    fileOf.set(name, file);
  }
  return fileOf;
}
