import { FormatError } from "../../errors.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf, parseJsonObject } from "../../formats/json.ts";
import type { TokenizerFiles } from "../tokenizer/tokenizer-files.ts";

const file = "tokenizer.json";

/**
 * `vocab.json` and `merges.txt` out of a `tokenizer.json`, the one file that transformers 5 writes instead of them.
 * @throws FormatError when it does not describe byte pair encoding as CLIP has it
 */
export function splitTokenizerJson(text: string): Pick<TokenizerFiles, "vocab.json" | "merges.txt"> {
  const json = parseJsonObject(text, file);
  const model = object(field(json, "model"), "model");
  const type = field(model, "type");
  if (type !== "BPE") throw new FormatError(`${file}: "model.type" must be "BPE", but it is ${kindOf(type)}.`);
  const suffix = field(model, "end_of_word_suffix");
  if (suffix !== "</w>") {
    throw new FormatError(
      `${file}: "model.end_of_word_suffix" must be "</w>" as CLIP has it, but it is ${kindOf(suffix)}.`,
    );
  }
  const vocabulary = new Map<string, JsonValue>(Object.entries(object(field(model, "vocab"), "model.vocab")));
  for (const entry of list(field(json, "added_tokens") ?? [], "added_tokens")) {
    const token = object(entry, "added_tokens");
    const content = field(token, "content");
    const id = field(token, "id");
    if (typeof content !== "string" || typeof id !== "number")
      throw new FormatError(`${file}: each of "added_tokens" must have a text "content" and a number "id".`);
    vocabulary.set(content, id);
  }
  const merges = list(field(model, "merges"), "model.merges").map(mergeLine);
  return {
    "vocab.json": `{${Array.from(vocabulary, ([token, id]) => `${JSON.stringify(token)}:${JSON.stringify(id)}`).join(",")}}`,
    "merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
  };
}

/** Older files join the two parts of a merge with a space, newer ones list them. */
function mergeLine(merge: JsonValue): string {
  if (typeof merge === "string") return merge;
  if (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string"))
    return merge.join(" ");
  throw new FormatError(`${file}: each of "model.merges" must be two texts, but one is ${kindOf(merge)}.`);
}

function object(value: JsonValue | undefined, key: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new FormatError(`${file}: "${key}" must be an object, but it is ${kindOf(value)}.`);
}

function list(value: JsonValue | undefined, key: string): readonly JsonValue[] {
  if (Array.isArray(value)) return value as readonly JsonValue[];
  throw new FormatError(`${file}: "${key}" must be a list, but it is ${kindOf(value)}.`);
}
