import { type JsonObject, parseJsonObject } from "../../formats/json.ts";

/** A text in quotation marks, or one of the words that Python writes for numbers that JSON does not have. */
const textOrWord = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;

/**
 * Parses a `scheduler_config.json`. diffusers writes a bare -Infinity for DPM-Solver's `lambda_min_clipped` (no limit),
 * which JSON does not have; it reads as null, as fields that are absent do.
 * @throws FormatError naming the file and what is wrong.
 */
export function parseSchedulerJson(text: string, name: string): JsonObject {
  return parseJsonObject(
    text.replaceAll(textOrWord, (found) => (found.startsWith('"') ? found : "null")),
    name,
  );
}
