import { FormatError } from "../../errors.ts";
import type { ByteSource } from "../../formats/byte-source.ts";

/** A plain file inside a tar archive: its bytes are `offset` to `offset + size` of the archive. */
export interface TarMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const blockBytes = 512;
/** Headers that only carry names: a longer one is an attack or a damaged file. */
const maxNameHeaderBytes = 1 << 20;

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function textField(block: Uint8Array, start: number, length: number): string {
  const bytes = block.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** An octal number, or GNU's big-endian one where the first bit is set. */
function numberField(block: Uint8Array, start: number, length: number, place: string): number {
  if ((block[start]! & 0x80) !== 0) {
    let value = block[start]! & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + block[start + i]!;
    if (Number.isSafeInteger(value)) return value;
  } else {
    const digits = textField(block, start, length).trim();
    if (/^[0-7]*$/.test(digits)) return digits === "" ? 0 : Number.parseInt(digits, 8);
  }
  throw new FormatError(`${place}: a size or a sum is not a number; the file is damaged or is not a tar archive.`);
}

/** The sum over the header's bytes, its own field counted as blanks. */
function headerSum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 0x20 : block[i]!;
  return sum;
}

/** The records `length key=value` of a pax header. */
function paxRecords(bytes: Uint8Array, place: string): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(decode(bytes.subarray(at, space)));
    const record = Number.isInteger(length) ? decode(bytes.subarray(space + 1, at + length)) : "";
    const equals = record.indexOf("=");
    if (equals < 0 || !record.endsWith("\n") || at + length > bytes.length) {
      throw new FormatError(`${place}: its extended header is malformed; the file may be damaged.`);
    }
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += length;
  }
  return records;
}

/**
 * Lists the plain files of a tar archive (ustar, with GNU's or pax's long names), reading its headers only.
 *
 * Folders, links and devices are passed over.
 * @throws FormatError when a header is damaged or the archive ends inside a file.
 */
export async function listTar(source: ByteSource): Promise<TarMember[]> {
  const members: TarMember[] = [];
  let longName: string | undefined;
  let longSize: number | undefined;
  for (let at = 0; at < source.size; ) {
    const place = `${source.name}, byte ${at}`;
    if (at + blockBytes > source.size) {
      throw new FormatError(`${place}: a header is cut short; the file is damaged or is not a tar archive.`);
    }
    const block = await source.read(at, blockBytes);
    // Two blocks of zeros end an archive; one is enough to know.
    if (block.every((byte) => byte === 0)) return members;
    if (numberField(block, 148, 8, place) !== headerSum(block)) {
      throw new FormatError(`${place}: the header's sum is wrong; the file is damaged or is not a plain tar archive.`);
    }
    const kind = String.fromCharCode(block[156]!);
    const size = (kind === "x" || kind === "g" ? undefined : longSize) ?? numberField(block, 124, 12, place);
    const offset = at + blockBytes;
    if (offset + size > source.size) {
      throw new FormatError(`${place}: a file of ${size} bytes is cut short; the archive ends at ${source.size}.`);
    }
    at = offset + Math.ceil(size / blockBytes) * blockBytes;
    if ("xgLK".includes(kind)) {
      if (size > maxNameHeaderBytes) throw new FormatError(`${place}: a name header of ${size} bytes is too long.`);
      const bytes = await source.read(offset, size);
      if (kind === "L") longName = textField(bytes, 0, size);
      if (kind === "x") {
        const records = paxRecords(bytes, place);
        longName = records.get("path") ?? longName;
        const given = records.get("size");
        if (given !== undefined) longSize = Number(given);
        if (longSize !== undefined && !(Number.isSafeInteger(longSize) && longSize >= 0)) {
          throw new FormatError(`${place}: the size ${JSON.stringify(given)} is not a whole number.`);
        }
      }
      continue;
    }
    // "ustar" and a zero: only then is the last field a prefix, GNU's older form keeps times there.
    const prefix = textField(block, 257, 6) === "ustar" && block[262] === 0 ? textField(block, 345, 155) : "";
    const name = longName ?? (prefix === "" ? "" : `${prefix}/`) + textField(block, 0, 100);
    if (kind === "0" || kind === "\0" || kind === "7") members.push({ name, offset, size });
    longName = undefined;
    longSize = undefined;
  }
  return members;
}
