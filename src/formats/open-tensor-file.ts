import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { readSafetensorsHeader } from "./safetensors.ts";
import type { TensorFile } from "./tensor-file.ts";
import { isPickle, readLegacyTorch } from "./torch/legacy-file.ts";
import { readZippedTorch } from "./torch/zip-file.ts";

/** Enough to tell formats apart: a tar archive's mark lies at byte 257. */
const startBytes = 262;

/** Files that people take for a checkpoint, by how they begin, and what they are. */
const strangers: readonly { readonly at?: number; readonly start: string; readonly what: string }[] = [
  { start: "version https://git-lfs", what: "a Git LFS pointer; fetch the file that it stands for (git lfs pull)" },
  { start: "<!DOCTYPE", what: "a web page; the download went wrong" },
  { start: "<html", what: "a web page; the download went wrong" },
  { start: "GGUF", what: "a GGUF file, which is not read here" },
  { start: "\u0008\u0008\u0012\u0007pytorch", what: "an ONNX model, which is not read here" },
  { start: "\u001f\u008b", what: "compressed by gzip; decompress it first" },
  { start: "7z\u00bc\u00af", what: "a 7z archive; unpack it first" },
  {
    at: 257,
    start: "ustar",
    what: "a tar archive; files of torch before 0.2 are not read, others must be unpacked first",
  },
];

/**
 * Opens a file of tensors, whatever its name says: safetensors, or a pickle of `torch.save` in either form, of which nothing is
 * executed. It reads headers only; the tensors stay where they are.
 * @throws FormatError with one sentence on what is wrong
 */
export async function openTensorFile(source: ByteSource): Promise<TensorFile> {
  const start = await source.read(0, Math.min(startBytes, source.size));
  if (start.length === 0) throw new FormatError(`${source.name}: the file is empty.`);
  const begins = (text: string, at = 0): boolean =>
    at + text.length <= start.length && Array.from(text).every((c, i) => start[at + i] === c.charCodeAt(0));
  if (begins("PK\u0003\u0004") || begins("PK\u0005\u0006")) return readZippedTorch(source);
  if (isPickle(start)) return readLegacyTorch(source);
  const stranger = strangers.find(({ at, start: text }) => begins(text, at));
  if (stranger !== undefined) throw new FormatError(`${source.name}: this is ${stranger.what}.`);
  // A safetensors file's ninth byte opens its header.
  if (start.length > 8 && start[8] !== 0x7b) {
    throw new FormatError(`${source.name}: this is neither a safetensors file nor one that torch.save wrote.`);
  }
  return openSafetensors(source);
}

/**
 * Opens a safetensors file as a set of tensors.
 * @throws FormatError with one sentence on what is wrong
 */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  const { tensors, metadata } = await readSafetensorsHeader(source);
  return {
    name: source.name,
    format: "safetensors",
    tensors: new Map(Array.from(tensors, ([name, entry]) => [name, { source, entry }])),
    metadata,
    content: undefined,
    inertClasses: [],
  };
}
