import { parseA1111 } from "./a1111-syntax.ts";
import { type CompelConjunction, parseCompel } from "./compel-syntax.ts";
import { type PromptLine, plainText } from "./piece.ts";

/** How people write weights: as AUTOMATIC1111's web interface, as Compel, or not at all. */
export const promptSyntaxes = ["a1111", "compel", "plain"] as const;

export type PromptSyntax = (typeof promptSyntaxes)[number];

/** A prompt that was read. */
export type ParsedPrompt =
  | { readonly syntax: "a1111" | "plain"; readonly line: PromptLine }
  | { readonly syntax: "compel"; readonly conjunction: CompelConjunction };

/** @throws UsageError when the text is no prompt of that syntax */
export function parsePrompt(text: string, syntax: PromptSyntax): ParsedPrompt {
  if (syntax === "compel") return { syntax, conjunction: parseCompel(text) };
  return { syntax, line: syntax === "a1111" ? parseA1111(text) : [{ text, weight: 1 }] };
}

/** The words of a prompt, without weights and operators. */
export function promptWords(parsed: ParsedPrompt): string {
  if (parsed.syntax !== "compel") return plainText(parsed.line, "");
  const lines = parsed.conjunction.flatMap(({ blend }) => blend.lines);
  return lines.map((line) => plainText(line, " ")).join(" ");
}
