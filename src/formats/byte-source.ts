import { FormatError } from "../errors.ts";

/** Something that can be read by range: a file, a download, an array; `name` is what errors call it. */
export interface ByteSource {
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /**
   * The bytes from `offset` (0 up) for `length`; the array belongs to the caller.
   * @throws FormatError when the range leaves the source.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes in memory as a source; what is read shares their memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(name, bytes.length, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * Refuses a range that leaves a source of `size` bytes.
 * @throws FormatError
 */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw new FormatError(
      `${name}: bytes ${offset} to ${offset + length} were asked for, but it ends at ${size}; the file may be cut short.`,
    );
  }
}
