import { FormatError } from "../../errors.ts";
import { field, type JsonObject, kindOf, parseJsonObject } from "../../formats/json.ts";
import type { CaptionRecord } from "./captions.ts";

/** A row of `metadata.jsonl`: a picture's file, relative to the folder of that file, and what it shows. */
export interface MetadataRow extends CaptionRecord {
  readonly fileName: string;
  readonly split?: string;
}

/** Names of picture files by their ends, in lower case. */
const pictureEnd: RegExp = /\.(png|jpe?g|webp)$/i;

/** Whether a file's name is that of a picture that can be read: PNG, JPEG or WebP. */
export function isPictureName(name: string): boolean {
  return pictureEnd.test(name);
}

function optionalText(object: JsonObject, key: string, place: string): string | undefined {
  const value = field(object, key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new FormatError(`${place}: "${key}" must be a text, but it is ${kindOf(value)}.`);
}

/**
 * Caption, subject, synonyms, style and split of a JSON object; `caption` is understood as `text`.
 * @throws FormatError when one of them is not what it should be.
 */
export function captionFields(object: JsonObject, place: string): CaptionRecord & { readonly split?: string } {
  const text = optionalText(object, "text", place) ?? optionalText(object, "caption", place);
  const subject = optionalText(object, "subject", place);
  const style = optionalText(object, "style", place);
  const split = optionalText(object, "split", place);
  const synonyms = field(object, "synonyms") ?? [];
  if (!Array.isArray(synonyms) || !synonyms.every((synonym): synonym is string => typeof synonym === "string")) {
    throw new FormatError(`${place}: "synonyms" must be a list of texts, but it is ${kindOf(synonyms)}.`);
  }
  return {
    ...(text === undefined ? {} : { text }),
    ...(subject === undefined ? {} : { subject }),
    ...(synonyms.length === 0 ? {} : { synonyms }),
    ...(style === undefined ? {} : { style }),
    ...(split === undefined ? {} : { split }),
  };
}

/**
 * A path below a folder in its plain form, with `/` between its parts.
 * @throws FormatError when it is absolute or leaves the folder.
 */
export function pathBelow(path: string, place: string): string {
  const parts = path.split(/[/\\]/).filter((part) => part !== "" && part !== ".");
  if (/^([/\\]|[a-z]:)/i.test(path) || parts.includes("..") || parts.length === 0 || path.includes("\0")) {
    throw new FormatError(`${place}: the file name ${JSON.stringify(path)} must lie below the folder of this file.`);
  }
  return parts.join("/");
}

/**
 * The rows of a `metadata.jsonl` as Hugging Face image folders have it: one JSON object a line, with `file_name` and a
 * `text` (or `caption`, or `subject`).
 * @throws FormatError naming the line when one is malformed, has no caption, or names a file twice.
 */
export function parseMetadata(content: string, name: string): MetadataRow[] {
  const rows: MetadataRow[] = [];
  const seen = new Map<string, number>();
  for (const [index, line] of content
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === "") continue;
    const place = `${name}, line ${index + 1}`;
    const object = parseJsonObject(line, place);
    const given = optionalText(object, "file_name", place);
    if (given === undefined) throw new FormatError(`${place}: "file_name" is missing; it names the picture's file.`);
    const fileName = pathBelow(given, place);
    const before = seen.get(fileName);
    if (before !== undefined) throw new FormatError(`${place}: ${fileName} was already named in line ${before}.`);
    seen.set(fileName, index + 1);
    const fields = captionFields(object, place);
    if (fields.text === undefined && fields.subject === undefined) {
      throw new FormatError(`${place}: a caption is missing; give "text" (a caption) or "subject" (a plain name).`);
    }
    rows.push({ fileName, ...fields });
  }
  return rows;
}
