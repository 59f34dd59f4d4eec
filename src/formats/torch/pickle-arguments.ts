import { FormatError } from "../../errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { type Operation, operations, refusedOperations } from "./pickle-operations.ts";

/** SDXL's 2,515 tensors with their optimizer's state take 0.8 MB; the numbers themselves lie outside the pickle. */
const maxPickleBytes = 2 ** 26;

/** How much is read at first; enough for most pickles. */
const firstBytes = 2 ** 16;

/** Names of classes are far shorter. */
const maxLineBytes = 1024;

/** An operation, and where its argument lies; the next one begins where it ends. */
interface PlacedOperation {
  readonly operation: Operation;
  readonly begin: number;
  readonly end: number;
}

/**
 * The operation at a byte; `undefined` when `bytes` end before its argument does.
 * @throws FormatError naming an operation that is not in the list of those allowed
 */
export function nextOperation(bytes: Uint8Array, at: number, file: string): PlacedOperation | undefined {
  const code = bytes[at];
  if (code === undefined) return undefined;
  const operation = operations.get(code);
  if (operation === undefined) {
    const name = refusedOperations.get(code) ?? `0x${code.toString(16).padStart(2, "0")}`;
    throw new FormatError(
      `${file}: its pickle uses the operation ${name} at byte ${at}, which no checkpoint of torch needs.`,
    );
  }
  const { argument } = operation;
  let begin = at + 1;
  let end: number | undefined = begin;
  if ("bytes" in argument) {
    end = begin + argument.bytes;
  } else if ("countBytes" in argument) {
    begin += argument.countBytes;
    if (begin > bytes.length) return undefined;
    let count = 0;
    for (let i = argument.countBytes; i > 0; i--) count = count * 256 + bytes[at + i]!;
    end = begin + count;
  } else {
    for (let line = 0; line < argument.lines && end !== undefined; line++) end = lineEnd(bytes, end, file);
  }
  return end === undefined || end > bytes.length ? undefined : { operation, begin, end };
}

function lineEnd(bytes: Uint8Array, at: number, file: string): number | undefined {
  const newline = bytes.subarray(at, at + maxLineBytes).indexOf(0x0a);
  if (newline >= 0) return at + newline + 1;
  if (at + maxLineBytes > bytes.length) return undefined;
  throw new FormatError(`${file}: its pickle is damaged at byte ${at}: the name of a class does not end.`);
}

/**
 * The bytes of the pickle that begins at `offset` of a file and ends nobody says where: it is read in growing steps until the
 * operation that stops it.
 * @throws FormatError when the file ends before, or the pickle is beyond all measure
 */
export async function readPickleBytes(source: ByteSource, offset: number): Promise<Uint8Array> {
  const most = Math.min(source.size - offset, maxPickleBytes);
  let scanned = 0;
  for (let window = firstBytes; ; window *= 4) {
    const bytes = await source.read(offset, Math.min(window, most));
    for (;;) {
      const next = nextOperation(bytes, scanned, source.name);
      if (next === undefined) break;
      if (next.operation.name === "STOP") return bytes.subarray(0, next.end);
      scanned = next.end;
    }
    if (window >= most) {
      throw new FormatError(
        most < maxPickleBytes
          ? `${source.name}: the file ends within its pickle; it is cut short.`
          : `${source.name}: its pickle takes more than ${maxPickleBytes} bytes, which no checkpoint needs.`,
      );
    }
  }
}

/**
 * The bytes of a pickle that takes `length` bytes from `offset`.
 * @throws FormatError when it is beyond all measure
 */
export async function readSizedPickle(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  if (length > maxPickleBytes) {
    throw new FormatError(`${source.name}: its pickle takes ${length} bytes, above the limit of ${maxPickleBytes}.`);
  }
  return source.read(offset, length);
}
