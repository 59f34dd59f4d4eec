import { z } from "zod";
import { isJsonObject, type JsonObject, type JsonValue } from "../../formats/json.ts";

/** How each key of a config is checked; the compiler finds a key that is missing here. */
export type Shape<T> = { readonly [K in keyof T]: z.ZodType<T[K]> };

/** Every message of a field completes the sentence "... must be". */
function field<T>(expectation: string, accepts: (value: JsonValue) => boolean): z.ZodType<T> {
  return z.custom<T>((value) => value !== undefined && accepts(value as JsonValue), expectation);
}

/** A text that is not empty. */
export function text(what: string): z.ZodType<string> {
  return field(what, (value) => typeof value === "string" && value !== "");
}

/** A list of texts, none of them empty. */
export function texts(what: string): z.ZodType<readonly string[]> {
  return field(what, (value) => Array.isArray(value) && value.every((item) => typeof item === "string" && item !== ""));
}

/** A text, or a list of one or more, none of them empty. */
export function textOrTexts(what: string): z.ZodType<string | readonly string[]> {
  const isText = (value: JsonValue): boolean => typeof value === "string" && value !== "";
  return field(what, (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)));
}

/** A whole number in a range. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return field(
    `a whole number ${range}`,
    (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most,
  );
}

/** A number in a range, both ends included. */
export function between(least: number, most: number): z.ZodType<number> {
  const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
  return field(`a number ${range}`, (value) => typeof value === "number" && value >= least && value <= most);
}

/** A number above 0. */
export function positive(): z.ZodType<number> {
  return field("a number above 0", (value) => typeof value === "number" && value > 0);
}

/** true or false. */
export function flag(): z.ZodType<boolean> {
  return field("true or false", (value) => typeof value === "boolean");
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): z.ZodType<T> {
  return field(words.map((word) => `"${word}"`).join(" or "), (value) => words.some((word) => word === value));
}

/** A JSON object whose keys another reader checks. */
export function anyObject(what: string): z.ZodType<JsonObject> {
  return field(what, isJsonObject);
}

/** An object with exactly these keys. */
export function section<T>(shape: Shape<T>): z.ZodType<T> {
  return z.strictObject(shape) as unknown as z.ZodType<T>;
}
