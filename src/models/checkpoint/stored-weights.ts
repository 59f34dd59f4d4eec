import { CheckpointError } from "../../errors.ts";
import type { ByteSource } from "../../formats/byte-source.ts";
import { field, isJsonObject, kindOf, parseJsonObject } from "../../formats/json.ts";
import { readSafetensorsHeader } from "../../formats/safetensors.ts";
import type { SafetensorsEntry, SafetensorsHeader } from "../../formats/safetensors-header.ts";
import type { FolderReader } from "./folder-reader.ts";
import { diffusersName, type PartKind } from "./names.ts";

/** One tensor in a file of a model's folder. */
export interface StoredTensor {
  /** Path of the file, relative to the model's folder. */
  readonly file: string;
  readonly source: ByteSource;
  readonly header: SafetensorsHeader;
  /** Its name in the file may be older than the name that models ask for. */
  readonly entry: SafetensorsEntry;
}

/** The tensors of one part of a model, by the names that models ask for; nothing but headers has been read. */
export interface StoredWeights {
  /** Files, relative to the model's folder, in the order of their names. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Stems of weight files, as diffusers and transformers write them. */
const stems = ["diffusion_pytorch_model", "model"] as const;

/** File names of a part's weights, best first: float32 or what the author chose, then the half-precision variant. */
const candidates: readonly string[] = ["", ".fp16", ".non_ema"].flatMap((variant) =>
  stems.map((stem) => `${stem}${variant}.safetensors`),
);

/** An index that says in which of several files each tensor lies, for parts that are written in pieces. */
const indices: readonly string[] = ["", ".fp16"].flatMap((variant) =>
  stems.map((stem) => `${stem}.safetensors.index${variant}.json`),
);

/** What older models have instead. */
const pickled: readonly string[] = ["diffusion_pytorch_model.bin", "pytorch_model.bin"];

/**
 * Finds and opens the weights of a part, e.g. `unet`: one safetensors file, its `fp16` variant, or pieces with an index.
 * @throws CheckpointError when there are none, or pieces disagree; FormatError when a file is damaged
 */
export async function readStoredWeights(folder: FolderReader, part: string, kind: PartKind): Promise<StoredWeights> {
  for (const name of candidates) {
    if (await folder.exists(`${part}/${name}`)) return storedWeights(folder, [`${part}/${name}`], kind);
  }
  for (const name of indices) {
    const path = `${part}/${name}`;
    if (await folder.exists(path)) {
      const pieces = indexedFiles(await folder.readText(path), `${folder.name}/${path}`);
      return storedWeights(
        folder,
        pieces.map((piece) => `${part}/${piece}`),
        kind,
      );
    }
  }
  for (const name of pickled) {
    if (await folder.exists(`${part}/${name}`)) {
      throw new CheckpointError(
        `${folder.name}/${part}: ${name} is a pickle, which can run code; save the model as safetensors first.`,
      );
    }
  }
  throw new CheckpointError(
    `${folder.name}/${part}: there is no weight file; one of ${candidates.join(", ")} was expected.`,
  );
}

/**
 * The tensors of safetensors files of a folder.
 * @throws CheckpointError when two tensors bear one name; FormatError when a file is damaged
 */
export async function storedWeights(
  folder: FolderReader,
  files: readonly string[],
  kind: PartKind,
): Promise<StoredWeights> {
  const tensors = new Map<string, StoredTensor>();
  for (const file of files) {
    const source = await folder.source(file);
    const header = await readSafetensorsHeader(source);
    for (const entry of header.tensors.values()) {
      const name = diffusersName(kind, entry.name);
      const other = tensors.get(name);
      if (other !== undefined) {
        throw new CheckpointError(
          `${folder.name}/${file}: "${entry.name}" and "${other.entry.name}" of ${other.file} both stand for ${name}; remove one.`,
        );
      }
      tensors.set(name, { file, source, header, entry });
    }
  }
  return { files, tensors };
}

function indexedFiles(text: string, place: string): string[] {
  const map = field(parseJsonObject(text, place), "weight_map");
  if (!isJsonObject(map))
    throw new CheckpointError(`${place}: "weight_map" must be an object, but it is ${kindOf(map)}.`);
  const files = new Set<string>();
  for (const value of Object.values(map)) {
    // A piece lies beside its index: a path could lead anywhere.
    if (typeof value !== "string" || !/^[\w.-]+\.safetensors$/.test(value)) {
      throw new CheckpointError(`${place}: a piece must be a safetensors file beside it, but it is ${kindOf(value)}.`);
    }
    files.add(value);
  }
  return [...files].sort();
}
