import { FormatError, UsageError } from "../errors.ts";

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Above any honest text; a compressed chunk that unpacks to more is refused. */
const maxTextBytes = 16 * 2 ** 20;

/** One chunk of a PNG file: four letters and bytes. */
interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** The chunk with its length and checksum. */
  readonly whole: Uint8Array;
}

/**
 * The texts of a PNG file by keyword (tEXt, zTXt and iTXt chunks), also those after the pixels; the last of a keyword wins.
 * @throws FormatError when the bytes are no PNG, are cut short, or a text chunk is damaged.
 */
export async function readPngText(png: Uint8Array, name: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { type, data } of readChunks(png, name)) {
    if (type === "tEXt" || type === "zTXt" || type === "iTXt") {
      const [keyword, text] = await decodeChunk(type, data, name);
      texts.set(keyword, text);
    }
  }
  return texts;
}

/**
 * The PNG file with these texts, in place of texts of the same keywords: tEXt where Latin-1 holds the text, else iTXt.
 *
 * They stand before the pixels, where every reader looks.
 * @throws FormatError when the bytes are no PNG or cut short.
 * @throws UsageError when a keyword is not 1 to 79 printable Latin-1 characters.
 */
export function writePngText(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [signature];
  for (const { type, data, whole } of readChunks(png, "the image")) {
    const isText = type === "tEXt" || type === "zTXt" || type === "iTXt";
    if (!(isText && Object.hasOwn(texts, latin1(untilZero(data))))) parts.push(whole);
    if (type === "IHDR") for (const [keyword, text] of Object.entries(texts)) parts.push(encodeText(keyword, text));
  }
  return concatenate(parts);
}

function* readChunks(png: Uint8Array, name: string): Generator<Chunk> {
  if (png.length < signature.length || signature.some((byte, i) => png[i] !== byte)) {
    throw new FormatError(`${name}: this is not a PNG file.`);
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = signature.length; ; ) {
    const end = at + 12 <= png.length ? at + 12 + view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (end > png.length) throw new FormatError(`${name}: the PNG file is cut short at byte ${png.length}.`);
    const type = latin1(png.subarray(at + 4, at + 8));
    const data = png.subarray(at + 8, end - 4);
    if (type.endsWith("Xt") && view.getUint32(end - 4) !== crc32(png.subarray(at + 4, end - 4))) {
      throw new FormatError(`${name}: the checksum of its ${type} chunk is wrong; the file is damaged.`);
    }
    yield { type, data, whole: png.subarray(at, end) };
    if (type === "IEND") return;
    at = end;
  }
}

async function decodeChunk(type: string, data: Uint8Array, name: string): Promise<[keyword: string, text: string]> {
  const keywordBytes = untilZero(data);
  const keyword = latin1(keywordBytes);
  const rest = data.subarray(keywordBytes.length + 1);
  if (type === "tEXt") return [keyword, latin1(rest)];
  // zTXt: method, text. iTXt: whether compressed, method, language, zero, translated keyword, zero, text.
  if (type === "zTXt") return [keyword, latin1(await inflate(rest.subarray(1), name))];
  const language = untilZero(rest.subarray(2));
  const translated = untilZero(rest.subarray(2 + language.length + 1));
  const text = rest.subarray(2 + language.length + 1 + translated.length + 1);
  return [keyword, new TextDecoder().decode(rest[0] === 1 ? await inflate(text, name) : text)];
}

function encodeText(keyword: string, text: string): Uint8Array {
  if (!/^[ -~\u00a1-\u00ff]{1,79}$/.test(keyword) || keyword.trim() !== keyword) {
    throw new UsageError(`a PNG keyword is 1 to 79 printable Latin-1 characters, but "${keyword}" was given.`);
  }
  if (text.includes("\0")) throw new UsageError(`the text of "${keyword}" holds a zero character, which PNG forbids.`);
  // Latin-1's control characters, line feed apart, are not for tEXt.
  if (/^[\n -~\u00a0-\u00ff]*$/.test(text)) return chunk("tEXt", fromLatin1(`${keyword}\0${text}`));
  return chunk("iTXt", concatenate([fromLatin1(`${keyword}\0\0\0\0\0`), new TextEncoder().encode(text)]));
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(fromLatin1(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

async function inflate(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const reader = stream.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      parts.push(next.value);
      size += next.value.length;
      if (size > maxTextBytes) break;
    }
    await reader.cancel();
  } catch (cause) {
    throw new FormatError(`${name}: a compressed text of the PNG file is damaged.`, { cause });
  }
  if (size > maxTextBytes)
    throw new FormatError(`${name}: a text of the PNG file unpacks to over ${maxTextBytes} bytes.`);
  return concatenate(parts);
}

function untilZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

// TextDecoder's "latin1" is windows-1252, which differs between 0x80 and 0x9f.
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const crcTable: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = crcTable[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
