import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { shorten } from "./json.ts";

/** Where one file of an archive lies: `begin` to `end` are its bytes, stored as they are. */
export interface ZipEntry {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

interface DirectoryEntry {
  readonly name: string;
  readonly nameBytes: number;
  readonly headerOffset: number;
  readonly size: number;
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly entries: number;
}

/** The end record, and the longest comment that may follow it. */
const endBytes = 22;
const maxCommentBytes = 0xffff;
/** What stands before the end record where numbers need 64 bits: a pointer to the record that has them, and its size. */
const locatorBytes = 20;
const end64Bytes = 56;
/** Bytes of a record before the names. */
const directoryEntryBytes = 46;
const localHeaderBytes = 30;

/** A checkpoint's directory takes 0.1 MB for a thousand tensors. */
const maxDirectoryBytes = 2 ** 26;

/** Headers of files are read a few at a time, since a checkpoint has thousands. */
const readsAtOnce = 32;

/** A number of 32 bits that says: look among the 64-bit ones. */
const elsewhere = 0xffffffff;

/**
 * The files of a zip archive by name, in the order of its directory; of the archive only the directory and each file's local
 * header are read. All files must be stored without compression, as torch writes them, and none may overlap another.
 *
 * Format: PKWARE's APPNOTE 6.3, sections 4.3.7 to 4.3.16 and 4.5.3 (64-bit sizes).
 * @throws FormatError with one sentence on what is wrong
 */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source);
  const listed = parseDirectory(await source.read(directory.offset, directory.size), directory.entries, source.name);
  const located = await locateFiles(source, listed, directory.offset);
  const entries = new Map<string, ZipEntry>();
  for (const entry of listed) {
    if (entries.has(entry.name))
      throw new FormatError(`${source.name}: the archive holds "${shorten(entry.name)}" twice.`);
    entries.set(entry.name, located.get(entry)!);
  }
  return entries;
}

/** Follows each entry of the directory to its file's own header, which says where the bytes begin. */
async function locateFiles(
  source: ByteSource,
  listed: readonly DirectoryEntry[],
  directoryOffset: number,
): Promise<Map<DirectoryEntry, ZipEntry>> {
  const byPlace = [...listed].sort((a, b) => a.headerOffset - b.headerOffset);
  const located = new Map<DirectoryEntry, ZipEntry>();
  const locate = async (entry: DirectoryEntry, limit: number): Promise<void> => {
    const place = `${source.name}: "${shorten(entry.name)}" of the archive`;
    if (entry.headerOffset + localHeaderBytes > limit) throw new FormatError(`${place} begins within what follows it.`);
    const header = viewOf(await source.read(entry.headerOffset, localHeaderBytes));
    if (header.getUint32(0, true) !== 0x04034b50 || header.getUint16(26, true) !== entry.nameBytes) {
      throw new FormatError(`${place} does not begin where its directory says.`);
    }
    const begin = entry.headerOffset + localHeaderBytes + entry.nameBytes + header.getUint16(28, true);
    const end = begin + entry.size;
    if (end > limit) throw new FormatError(`${place} takes ${entry.size} bytes and overlaps what follows.`);
    located.set(entry, { name: entry.name, begin, end });
  };
  for (let i = 0; i < byPlace.length; i += readsAtOnce) {
    const some = byPlace.slice(i, i + readsAtOnce);
    await Promise.all(some.map((entry, j) => locate(entry, byPlace[i + j + 1]?.headerOffset ?? directoryOffset)));
  }
  return located;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const { name, size } = source;
  const tailOffset = Math.max(0, size - endBytes - maxCommentBytes);
  const tail = viewOf(await source.read(tailOffset, size - tailOffset));
  let at = tail.byteLength - endBytes;
  while (
    at >= 0 &&
    !(tail.getUint32(at, true) === 0x06054b50 && at + endBytes + tail.getUint16(at + 20, true) === tail.byteLength)
  ) {
    at--;
  }
  if (at < 0)
    throw new FormatError(`${name}: a zip archive ends with its directory, but this one does not; it is cut short.`);
  const endOffset = tailOffset + at;
  let directory: Directory = {
    entries: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  let limit = endOffset;
  if (at >= locatorBytes && tail.getUint32(at - locatorBytes, true) === 0x07064b50) {
    const offset = wide(tail, at - locatorBytes + 8);
    if (offset + end64Bytes > endOffset - locatorBytes) throw misplaced(name);
    const record = viewOf(await source.read(offset, end64Bytes));
    if (record.getUint32(0, true) !== 0x06064b50) throw misplaced(name);
    directory = { entries: wide(record, 32), size: wide(record, 40), offset: wide(record, 48) };
    limit = offset;
  }
  if (directory.offset + directory.size > limit) throw misplaced(name);
  if (directory.size > maxDirectoryBytes) {
    throw new FormatError(
      `${name}: its directory takes ${directory.size} bytes, above the limit of ${maxDirectoryBytes}.`,
    );
  }
  return directory;
}

function parseDirectory(bytes: Uint8Array, count: number, file: string): DirectoryEntry[] {
  if (count * directoryEntryBytes > bytes.length) {
    throw new FormatError(`${file}: its directory of ${bytes.length} bytes cannot list ${count} files.`);
  }
  const view = viewOf(bytes);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + directoryEntryBytes > bytes.length || view.getUint32(at, true) !== 0x02014b50) throw misplaced(file);
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const nameOffset = at + directoryEntryBytes;
    const next = nameOffset + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (next > bytes.length) throw misplaced(file);
    const name = new TextDecoder().decode(bytes.subarray(nameOffset, nameOffset + nameBytes));
    const place = `${file}: "${shorten(name)}"`;
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw new FormatError(`${place} of the archive is encrypted.`);
    const method = view.getUint16(at + 10, true);
    const extra = viewOf(bytes.subarray(nameOffset + nameBytes, nameOffset + nameBytes + extraBytes));
    const [size, packed, headerOffset] = wideFields(
      [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
      extra,
      place,
    );
    if (method !== 0 || packed !== size) {
      throw new FormatError(
        `${place} of the archive is compressed, but torch stores files as they are; unpack it and zip it with "zip -0".`,
      );
    }
    entries.push({ name, nameBytes, headerOffset, size });
    at = next;
  }
  return entries;
}

/** Replaces those of size, packed size and header offset that do not fit in 32 bits. */
function wideFields(
  fields: readonly [number, number, number],
  extra: DataView,
  place: string,
): readonly [number, number, number] {
  if (!fields.includes(elsewhere)) return fields;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    const end = Math.min(extra.byteLength, at + 4 + extra.getUint16(at + 2, true));
    let next = at + 4;
    const widened = fields.map((field) => {
      if (field !== elsewhere || next + 8 > end) return field;
      next += 8;
      return wide(extra, next - 8);
    });
    return widened as [number, number, number];
  }
  throw new FormatError(`${place} of the archive lacks its 64-bit size.`);
}

/** A number of 64 bits; beyond 2^53 it is inexact, and beyond any file. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function misplaced(file: string): FormatError {
  return new FormatError(`${file}: the zip archive's directory is damaged.`);
}
