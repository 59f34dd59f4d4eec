import { FormatError } from "../../errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { shorten } from "../json.ts";
import { storedBytes } from "../safetensors-header.ts";
import type { TensorFile } from "../tensor-file.ts";
import { readZipDirectory, type ZipEntry } from "../zip-directory.ts";
import { locateTensors } from "./locate-tensors.ts";
import { readSizedPickle } from "./pickle-arguments.ts";
import { runPickle } from "./pickle-machine.ts";

/**
 * Opens a file of `torch.save`, torch 1.6 and later: a zip archive of `data.pkl` and one file for each storage, stored as they
 * are, so that tensors can be used where they lie.
 * @throws FormatError with one sentence on what is wrong
 */
export async function readZippedTorch(source: ByteSource): Promise<TensorFile> {
  const entries = await readZipDirectory(source);
  const { folder, pickle } = findPickle(entries, source.name);
  if (entries.has(`${folder}constants.pkl`)) {
    throw new FormatError(
      `${source.name}: this is a TorchScript program, not a checkpoint; save its state_dict instead.`,
    );
  }
  const order = entries.get(`${folder}byteorder`);
  if (order !== undefined) {
    const text = String.fromCharCode(...(await source.read(order.begin, Math.min(order.end - order.begin, 16))));
    if (text !== "little") {
      throw new FormatError(`${source.name}: its byte order is "${text}", but only little can be read.`);
    }
  }
  const bytes = await readSizedPickle(source, pickle.begin, pickle.end - pickle.begin);
  return locateTensors(source, "torch-zip", runPickle(bytes, source.name), ({ key, type, elements }) => {
    const record = entries.get(`${folder}data/${key}`);
    if (record === undefined) throw new FormatError(`${source.name}: the storage "${shorten(key)}" is missing.`);
    if (record.end - record.begin !== elements * storedBytes(type)) {
      throw new FormatError(
        `${source.name}: the storage "${shorten(key)}" has ${record.end - record.begin} bytes, but its tensors need ${elements} elements of type ${type}.`,
      );
    }
    return record;
  });
}

/** torch writes all below one folder, which is named after the file. */
function findPickle(entries: ReadonlyMap<string, ZipEntry>, file: string): { folder: string; pickle: ZipEntry } {
  const found = [...entries.values()].filter(({ name }) => /^[^/]*\/data\.pkl$|^data\.pkl$/.test(name));
  const [pickle] = found;
  if (pickle === undefined) {
    throw new FormatError(`${file}: a zip archive of torch.save holds "data.pkl", but this one does not.`);
  }
  if (found.length > 1) throw new FormatError(`${file}: the archive holds more than one "data.pkl".`);
  return { folder: pickle.name.slice(0, -"data.pkl".length), pickle };
}
