import { FormatError } from "../../errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { shorten } from "../json.ts";
import { storedBytes } from "../safetensors-header.ts";
import { isRowMajor, spannedElements } from "../strides.ts";
import type { TensorEntry } from "../tensor-entry.ts";
import type { LocatedTensor, TensorFile } from "../tensor-file.ts";
import type { PickleResult } from "./pickle-machine.ts";
import type { TorchStorage, TorchTensor } from "./pickle-value.ts";
import { tensorPaths } from "./tensor-paths.ts";

/** The bytes of a storage, counted from the start of the file. */
export interface StorageRecord {
  readonly begin: number;
  readonly end: number;
}

/** Tensors may share storages, but all of them together are not many times their file. */
const maxSharing = 16;

/**
 * The tensors of a pickle, located in its file. `recordOf` says where a storage lies.
 * @throws FormatError when a tensor, or all of them together, would take more than the file can account for
 */
export function locateTensors(
  source: ByteSource,
  format: TensorFile["format"],
  { value, inertClasses }: PickleResult,
  recordOf: (storage: TorchStorage) => StorageRecord,
): TensorFile {
  const tensors = new Map<string, LocatedTensor>();
  let total = 0;
  for (const [name, tensor] of tensorPaths(value, source.name)) {
    const bytes = tensor.shape.reduce((product, n) => product * n, storedBytes(tensor.type));
    total += bytes;
    if (bytes > source.size || total > maxSharing * source.size) {
      throw new FormatError(
        `${source.name}: tensor "${shorten(name)}" of shape [${tensor.shape.join(", ")}] repeats its numbers beyond the file's ${source.size} bytes.`,
      );
    }
    tensors.set(name, { source, entry: entryOf(name, tensor, recordOf(tensor.storage)) });
  }
  return { name: source.name, format, tensors, metadata: new Map(), content: value, inertClasses };
}

function entryOf(name: string, tensor: TorchTensor, record: StorageRecord): TensorEntry {
  const { type, shape, strides, storage, offset } = tensor;
  const begin = record.begin + storage.begin * storedBytes(storage.type) + offset * storedBytes(type);
  const end = begin + spannedElements(shape, strides) * storedBytes(type);
  return isRowMajor(shape, strides) ? { name, type, shape, begin, end } : { name, type, shape, begin, end, strides };
}
