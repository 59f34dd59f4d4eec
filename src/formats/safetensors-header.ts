import { FormatError } from "../errors.ts";
import { bytesPerElement, type DataType } from "../tensor/tensor.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf, parseJsonObject, shorten } from "./json.ts";
import { claimedElements } from "./strides.ts";

/** Element types that a file may hold and no tensor of ours does; they are widened when they are read. */
export type ForeignType = "int16" | "uint16" | "uint32" | "uint64" | "float8_e4m3" | "float8_e5m2";

/** An element type of a safetensors file. */
export type StoredType = DataType | ForeignType;

/** Where one tensor lies; `begin` and `end` count bytes from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What the head of a safetensors file says. */
export interface SafetensorsHeader {
  /** By name, in the order of the file's header. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the tensors begin, in bytes from the start of the file. */
  readonly dataOffset: number;
}

/** Bytes before the JSON: its length as a little-endian unsigned 64-bit number. */
export const lengthBytes = 8;

/** The reference reader's own limit; the header of a model of 3.5 billion parameters takes 0.3 MB. */
export const maxHeaderBytes = 100_000_000;

/** Far more than any network's tensors have; keeps products of hostile shapes short. */
const maxRank = 32;

/** The format's names of element types. */
const storedTypes: Readonly<Record<string, StoredType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
  F8_E4M3: "float8_e4m3",
  F8_E5M2: "float8_e5m2",
};

const foreignBytes: Readonly<Record<ForeignType, number>> = {
  int16: 2,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float8_e4m3: 1,
  float8_e5m2: 1,
};

/** Whether tensors of ours hold this element type. */
export function isDataType(type: StoredType): type is DataType {
  return Object.hasOwn(bytesPerElement, type);
}

/** The format's name of an element type, e.g. `F16`. */
export function storedTypeName(type: StoredType): string {
  for (const [name, known] of Object.entries(storedTypes)) if (known === type) return name;
  return type;
}

/** Bytes that one element takes in a file. */
export function storedBytes(type: StoredType): number {
  return isDataType(type) ? bytesPerElement[type] : foreignBytes[type];
}

/**
 * The length of the JSON part, from the first eight bytes of a file.
 * @throws FormatError when it is longer than the file or than any honest header.
 */
export function headerLength(start: Uint8Array, fileSize: number, name: string): number {
  if (fileSize < lengthBytes || start.length < lengthBytes) {
    throw new FormatError(
      `${name}: a safetensors file begins with eight bytes of length, but this one has ${fileSize}.`,
    );
  }
  const length = new DataView(start.buffer, start.byteOffset, lengthBytes).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw new FormatError(
      `${name}: its header claims ${length} bytes, above the limit of ${maxHeaderBytes}; this is not a safetensors file.`,
    );
  }
  if (lengthBytes + Number(length) > fileSize) {
    throw new FormatError(
      `${name}: its header claims ${length} bytes, but the file has ${fileSize}; it is cut short or not safetensors.`,
    );
  }
  return Number(length);
}

/**
 * Reads the header of a safetensors file of `fileSize` bytes from its first bytes.
 *
 * Strict as the reference reader: names are unique, and the tensors fill the file without gap or overlap.
 * @throws FormatError with one sentence on what is wrong.
 */
export function parseSafetensorsHeader(start: Uint8Array, fileSize: number, name: string): SafetensorsHeader {
  const length = headerLength(start, fileSize, name);
  const dataOffset = lengthBytes + length;
  if (start.length < dataOffset) {
    throw new FormatError(`${name}: the header takes ${dataOffset} bytes, but only ${start.length} were given.`);
  }
  const header = parseJsonObject(decodeText(start.subarray(lengthBytes, dataOffset), name), name);
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [key, value] of Object.entries(header)) {
    if (key !== "__metadata__") tensors.set(key, parseEntry(key, value, dataOffset, name));
  }
  checkLayout([...tensors.values()], dataOffset, fileSize, name);
  return { tensors, metadata: parseMetadata(field(header, "__metadata__"), name), dataOffset };
}

function decodeText(bytes: Uint8Array, name: string): string {
  if (bytes[0] !== 0x7b) throw new FormatError(`${name}: a safetensors header begins with "{", but this one does not.`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${name}: the header is not valid UTF-8.`, { cause });
  }
}

function parseMetadata(value: JsonValue | undefined, name: string): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isJsonObject(value))
    throw new FormatError(`${name}: "__metadata__" must be an object, but it is ${kindOf(value)}.`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw new FormatError(`${name}: metadata ${quote(key)} must be a text, but it is ${kindOf(text)}.`);
    }
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(key: string, value: JsonValue, dataOffset: number, file: string): SafetensorsEntry {
  const place = `${file}: tensor ${quote(key)}`;
  if (!isJsonObject(value))
    throw new FormatError(`${place} must be described by an object, but it is ${kindOf(value)}.`);
  const dtype = field(value, "dtype");
  const type = typeof dtype === "string" && Object.hasOwn(storedTypes, dtype) ? storedTypes[dtype] : undefined;
  if (type === undefined) {
    const known = Object.keys(storedTypes).join(", ");
    throw new FormatError(`${place}: its "dtype" must be one of ${known}, but it is ${kindOf(dtype)}.`);
  }
  const shape = sizes(value, "shape", place);
  if (shape.length > maxRank)
    throw new FormatError(`${place} has ${shape.length} axes, above the limit of ${maxRank}.`);
  const offsets = sizes(value, "data_offsets", place);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2 || end < begin) {
    throw new FormatError(
      `${place}: "data_offsets" must be two numbers in rising order, but it is [${offsets.join(", ")}].`,
    );
  }
  const elements = claimedElements(shape);
  if (elements === undefined) {
    throw new FormatError(`${place}: its shape [${shape.join(", ")}] has more elements than any file can hold.`);
  }
  const bytes = elements * storedBytes(type);
  if (bytes !== end - begin) {
    throw new FormatError(
      `${place} of type ${String(dtype)} and shape [${shape.join(", ")}] takes ${bytes} bytes, but its offsets span ${end - begin}.`,
    );
  }
  return { name: key, type, shape, begin: dataOffset + begin, end: dataOffset + end };
}

function sizes(entry: JsonObject, key: string, place: string): number[] {
  const value = field(entry, key);
  const numbers = Array.isArray(value) ? (value as JsonValue[]) : undefined;
  if (numbers?.every((n): n is number => typeof n === "number" && Number.isSafeInteger(n) && n >= 0)) return numbers;
  throw new FormatError(
    `${place}: "${key}" must be a list of whole numbers of at least 0, but it is ${shorten(JSON.stringify(value) ?? "missing")}.`,
  );
}

function checkLayout(entries: SafetensorsEntry[], dataOffset: number, fileSize: number, name: string): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = dataOffset;
  let previous = "the header";
  for (const { name: tensorName, begin, end } of entries) {
    if (begin < at) throw new FormatError(`${name}: tensor ${quote(tensorName)} overlaps ${previous}.`);
    if (begin > at) {
      throw new FormatError(`${name}: ${begin - at} bytes before tensor ${quote(tensorName)} belong to no tensor.`);
    }
    at = end;
    previous = quote(tensorName);
  }
  if (at > fileSize) {
    throw new FormatError(`${name}: the header needs ${at} bytes, but the file has ${fileSize}; it is cut short.`);
  }
  if (at < fileSize)
    throw new FormatError(`${name}: ${fileSize - at} bytes after the last tensor belong to no tensor.`);
}

function quote(text: string): string {
  return `"${shorten(text)}"`;
}
