import type { ByteSource } from "../src/formats/byte-source.ts";
import { checkRange } from "../src/formats/byte-source.ts";

/** A file of an archive made for a test, stored as it is; what is wrong with it, if anything. */
export interface TestFile {
  readonly name: string;
  readonly content: Uint8Array | string;
  /** Its length, where it is more than the content: zeros follow. */
  readonly length?: number;
  readonly method?: number;
  readonly flags?: number;
  /** What the directory says, where it is not the truth. */
  readonly claimedSize?: number;
  readonly claimedOffset?: number;
}

/** A file of which only some bytes are not zero: pieces by their place. */
export interface Sparse {
  readonly size: number;
  readonly pieces: readonly (readonly [offset: number, bytes: Uint8Array])[];
}

/** A zip archive; with `wide`, its sizes and places are 64-bit ones. `count` is what its end says of the number of files. */
export function sparseZip(files: readonly TestFile[], wide = false, count = files.length): Sparse {
  const pieces: [number, Uint8Array][] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const add = (bytes: Uint8Array, length = bytes.length): void => {
    pieces.push([at, bytes]);
    at += length;
  };
  for (const file of files) {
    const content = typeof file.content === "string" ? Buffer.from(file.content, "latin1") : file.content;
    const length = file.length ?? content.length;
    const name = Buffer.from(file.name);
    const size = file.claimedSize ?? length;
    const offset = file.claimedOffset ?? at;
    const extra = Buffer.alloc(wide ? 28 : 0);
    if (wide) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, value] of [size, size, offset].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
    }
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(file.flags ?? 0x808, 8);
    entry.writeUInt16LE(file.method ?? 0, 10);
    entry.writeUInt32LE(wide ? 0xffffffff : size, 20);
    entry.writeUInt32LE(wide ? 0xffffffff : size, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.writeUInt32LE(wide ? 0xffffffff : offset, 42);
    directory.push(entry, name, extra);
    add(Buffer.concat([local, name]));
    add(content, length);
  }
  const begin = at;
  add(Buffer.concat(directory));
  const size = at - begin;
  if (wide) {
    const end64 = Buffer.alloc(76);
    end64.writeUInt32LE(0x06064b50, 0);
    for (const [i, value] of [count, count, size, begin].entries()) end64.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(at), 64);
    add(end64);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(wide ? 0xffffffff : size, 12);
  end.writeUInt32LE(wide ? 0xffffffff : begin, 16);
  add(end);
  return { size: at, pieces };
}

/** The same archive in memory. */
export function zipBytes(files: readonly TestFile[], wide = false, count = files.length): Uint8Array<ArrayBuffer> {
  return flatten(sparseZip(files, wide, count), 0, sparseZip(files, wide, count).size);
}

/** A sparse file as a source that counts the bytes read from it. */
export function sparseSource(name: string, sparse: Sparse): ByteSource & { readonly bytesRead: () => number } {
  let total = 0;
  return {
    name,
    size: sparse.size,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(name, sparse.size, offset, length);
      total += length;
      return flatten(sparse, offset, length);
    },
    bytesRead: () => total,
  };
}

function flatten({ pieces }: Sparse, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (const [at, piece] of pieces) {
    const from = Math.max(0, offset - at);
    const to = Math.min(piece.length, offset + length - at);
    if (from < to) bytes.set(piece.subarray(from, to), at + from - offset);
  }
  return bytes;
}
