import type { PromptReading } from "../conditioning.ts";
import type { Model } from "../model.ts";
import { unknownWords } from "../unknown-words.ts";
import { promptEditing } from "./a1111-syntax.ts";
import { encoderWords, withoutLearnedWords } from "./learned-words.ts";
import { parsePrompt, promptWords } from "./syntax.ts";

/** What about a prompt will disappoint, one sentence each. @throws UsageError when it is not of its syntax */
export function promptWarnings(
  { tokenizer, name }: Pick<Model, "tokenizer" | "name">,
  prompt: string,
  { syntax, learnedWords }: PromptReading,
): string[] {
  const warnings: string[] = [];
  const editing = syntax === "a1111" ? promptEditing(prompt) : undefined;
  if (editing !== undefined) {
    warnings.push(`prompts are not changed between steps: "${editing}" is read as a text of lower weight.`);
  }
  const text = withoutLearnedWords(promptWords(parsePrompt(prompt, syntax)), encoderWords(learnedWords, 0, 0));
  const unknown = unknownWords(tokenizer, text);
  if (unknown.length > 0) {
    warnings.push(`${name} was taught few words and does not know ${unknown.map((word) => `"${word}"`).join(", ")}.`);
  }
  return warnings;
}
