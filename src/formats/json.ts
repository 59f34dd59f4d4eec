import { FormatError } from "../errors.ts";

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; read it with `Object.hasOwn` or the field readers, since a hostile one may hold `__proto__`. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * Parses JSON text whose outermost value is an object, with no key twice at any depth.
 * @throws FormatError naming the file and what is wrong.
 */
export function parseJsonObject(text: string, name: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new FormatError(`${name}: this is not valid JSON (${(cause as Error).message}).`, { cause });
  }
  if (!isJsonObject(value))
    throw new FormatError(`${name}: a JSON object was expected, but it holds ${kindOf(value)}.`);
  const twice = findDuplicateKey(text);
  if (twice !== undefined)
    throw new FormatError(`${name}: the key ${JSON.stringify(twice)} stands twice in one object.`);
  return value;
}

/** Whether a value is an object (neither null nor a list). */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of an object's own key, or undefined. */
export function field(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * The text under a key.
 * @throws FormatError when it is absent or something else.
 */
export function stringField(object: JsonObject, key: string, name: string): string {
  const value = field(object, key);
  if (typeof value === "string") return value;
  throw new FormatError(`${name}: "${key}" must be a text, but it is ${kindOf(value)}.`);
}

/**
 * The whole number under a key.
 * @throws FormatError when it is absent or something else.
 */
export function integerField(object: JsonObject, key: string, name: string): number {
  const value = field(object, key);
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new FormatError(`${name}: "${key}" must be a whole number, but it is ${kindOf(value)}.`);
}

/** What a value is, in words that fit after "it is". */
export function kindOf(value: JsonValue | undefined): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `${typeof value === "string" ? "the text" : `the ${typeof value}`} ${shorten(JSON.stringify(value))}`;
}

/** A text cut to about sixty characters, for sentences that quote what a file says. */
export function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** The first key that one object of well-formed JSON text holds twice; `JSON.parse` itself keeps the last one in silence. */
function findDuplicateKey(text: string): string | undefined {
  // One set of keys for each open object, null for each open list.
  const open: (Set<string> | null)[] = [];
  let awaitsKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Set());
        awaitsKey = true;
        break;
      case 0x5b: // [
        open.push(null);
        awaitsKey = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        awaitsKey = false;
        break;
      case 0x2c: // ,
        awaitsKey = open.at(-1) !== null;
        break;
      case 0x22: {
        // "
        const end = endOfString(text, at);
        if (awaitsKey) {
          const key = JSON.parse(text.slice(at, end)) as string;
          const keys = open.at(-1);
          if (keys?.has(key)) return key;
          keys?.add(key);
          awaitsKey = false;
        }
        at = end - 1;
        break;
      }
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at + 1;
}
