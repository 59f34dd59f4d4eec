import { FormatError } from "../../errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { shorten } from "../json.ts";
import { storedBytes } from "../safetensors-header.ts";
import type { TensorFile } from "../tensor-file.ts";
import { locateTensors, type StorageRecord } from "./locate-tensors.ts";
import { readPickleBytes } from "./pickle-arguments.ts";
import { runPickle } from "./pickle-machine.ts";
import { isKind, type PickleValue, type TorchStorage } from "./pickle-value.ts";

/** The number that such files begin with, and the only version of theirs (torch/serialization.py). */
const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

/** Before each storage stands its length in elements. */
const lengthBytes = 8;

/** Whether a file begins as a pickle does; the eighth byte of a safetensors file is a brace. */
export function isPickle(start: Uint8Array): boolean {
  return start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && start[8] !== 0x7b;
}

/**
 * Opens a file of `torch.save` before torch 1.6: five pickles (a magic number, a version, the writer's machine, the content, and
 * the storages' keys), then the storages one after the other.
 * @throws FormatError with one sentence on what is wrong
 */
export async function readLegacyTorch(source: ByteSource): Promise<TensorFile> {
  const file = source.name;
  let at = 0;
  const next = async (): Promise<ReturnType<typeof runPickle>> => {
    const bytes = await readPickleBytes(source, at);
    at += bytes.length;
    return runPickle(bytes, file);
  };
  if ((await next()).value !== magicNumber) {
    throw new FormatError(`${file}: this is a pickle, but not one that torch.save wrote.`);
  }
  const version = (await next()).value;
  if (version !== protocolVersion) {
    throw new FormatError(`${file}: its version must be ${protocolVersion}, but it is ${shorten(String(version))}.`);
  }
  const machine = (await next()).value;
  if (isKind(machine, "dict") && machine.entries.get("little_endian") === false) {
    throw new FormatError(`${file}: it was written by a big-endian machine, whose byte order cannot be read.`);
  }
  const content = await next();
  const keys = (await next()).value;
  const records = await findStorages(source, at, keys, content.storages);
  return locateTensors(source, "torch-legacy", content, ({ key, type, elements }) => {
    const record = records.get(key);
    if (record === undefined) throw new FormatError(`${file}: the storage "${shorten(key)}" is missing.`);
    if (record.end - record.begin !== elements * storedBytes(type)) {
      throw new FormatError(`${file}: the storage "${shorten(key)}" is said to have more than one length or type.`);
    }
    return record;
  });
}

/** Walks along the storages, in the order of their keys; of each only the length is read. */
async function findStorages(
  source: ByteSource,
  offset: number,
  keys: PickleValue,
  storages: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, StorageRecord>> {
  const file = source.name;
  if (!isKind(keys, "list")) throw new FormatError(`${file}: the list of its storages is missing.`);
  const records = new Map<string, StorageRecord>();
  let at = offset;
  for (const key of keys.items) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined || records.has(storage.key)) {
      throw new FormatError(
        `${file}: its list of storages names ${shorten(String(key))}, which no tensor uses, or twice.`,
      );
    }
    const place = `${file}: the storage "${shorten(storage.key)}"`;
    const begin = at + lengthBytes;
    const end = begin + storage.elements * storedBytes(storage.type);
    if (end > source.size) {
      throw new FormatError(`${place} ends at byte ${end}, but the file at ${source.size}; it is cut short.`);
    }
    const head = await source.read(at, lengthBytes);
    const elements = new DataView(head.buffer, head.byteOffset, lengthBytes).getBigInt64(0, true);
    if (elements !== BigInt(storage.elements)) {
      throw new FormatError(`${place} has ${elements} elements, but its tensors need ${storage.elements}.`);
    }
    records.set(storage.key, { begin, end });
    at = end;
  }
  return records;
}
