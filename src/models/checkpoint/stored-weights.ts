import { CheckpointError } from "../../errors.ts";
import type { ByteSource } from "../../formats/byte-source.ts";
import { openTensorFile } from "../../formats/open-tensor-file.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import { type LocatedTensor, unwrapStateDict } from "../../formats/tensor-file.ts";
import { openTensorIndex } from "../../formats/tensor-index.ts";
import type { FolderReader } from "./folder-reader.ts";
import { diffusersName, type PartKind } from "./names.ts";

/** One tensor in a file of a model's folder. */
export interface StoredTensor {
  /** Path of the file, relative to the model's folder. */
  readonly file: string;
  readonly source: ByteSource;
  /** Its name in the file may be older than the name that models ask for. */
  readonly entry: TensorEntry;
}

/** The tensors of one part of a model, by the names that models ask for; nothing but headers has been read. */
export interface StoredWeights {
  /** Files, relative to the model's folder, in the order of their names. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Stems of weight files, as diffusers and transformers write them. */
const stems = ["diffusion_pytorch_model", "model"] as const;

/** The same, of pickles. */
const pickledStems = ["diffusion_pytorch_model", "pytorch_model"] as const;

/** Which of several weights of a part is taken, best first: what the author chose, then half precision, then others. */
const variants = ["", ".fp16", ".non_ema"] as const;

/** File names of a part's weights, best first: safetensors, then what older models have instead. */
const candidates: readonly string[] = [
  ...variants.flatMap((variant) => stems.map((stem) => `${stem}${variant}.safetensors`)),
  ...variants.flatMap((variant) => pickledStems.map((stem) => `${stem}${variant}.bin`)),
];

/** An index that says in which of several files each tensor lies, for parts that are written in pieces. */
const indices: readonly string[] = [
  ...["", ".fp16"].flatMap((variant) => stems.map((stem) => `${stem}.safetensors.index${variant}.json`)),
  ...["", ".fp16"].flatMap((variant) => pickledStems.map((stem) => `${stem}.bin.index${variant}.json`)),
];

/**
 * Finds and opens the weights of a part, e.g. `unet`: one file or pieces with an index, safetensors or pickles, plain or of
 * the `fp16` variant.
 * @throws CheckpointError when there are none, or two tensors bear one name; FormatError when a file is damaged
 */
export async function readStoredWeights(folder: FolderReader, part: string, kind: PartKind): Promise<StoredWeights> {
  for (const name of candidates) {
    if (await folder.exists(`${part}/${name}`)) return storedWeights(folder, [`${part}/${name}`], kind);
  }
  for (const name of indices) {
    if (!(await folder.exists(`${part}/${name}`))) continue;
    const { tensors } = await openTensorIndex(folder, `${part}/${name}`);
    return collect(folder, kind, (source) => `${part}/${baseName(source.name)}`, tensors);
  }
  throw new CheckpointError(
    `${folder.name}/${part}: there is no weight file; one of ${candidates.join(", ")} was expected.`,
  );
}

/**
 * The tensors of files of a folder.
 * @throws CheckpointError when two tensors bear one name; FormatError when a file is damaged
 */
export async function storedWeights(
  folder: FolderReader,
  files: readonly string[],
  kind: PartKind,
): Promise<StoredWeights> {
  const located: [string, LocatedTensor][] = [];
  const paths = new Map<ByteSource, string>();
  for (const file of files) {
    const source = await folder.source(file);
    paths.set(source, file);
    located.push(...unwrapStateDict(await openTensorFile(source)).tensors);
  }
  return collect(folder, kind, (source) => paths.get(source) ?? source.name, located);
}

function collect(
  folder: FolderReader,
  kind: PartKind,
  pathOf: (source: ByteSource) => string,
  located: Iterable<readonly [string, LocatedTensor]>,
): StoredWeights {
  const tensors = new Map<string, StoredTensor>();
  const files = new Set<string>();
  for (const [key, { source, entry }] of located) {
    const file = pathOf(source);
    files.add(file);
    const name = diffusersName(kind, key);
    const other = tensors.get(name);
    if (other !== undefined) {
      throw new CheckpointError(
        `${folder.name}/${file}: "${entry.name}" and "${other.entry.name}" of ${other.file} both stand for ${name}; remove one.`,
      );
    }
    tensors.set(name, { file, source, entry });
  }
  return { files: [...files].sort(), tensors };
}

/** The last piece of a path. */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
