import { joinPieces, type PromptLine } from "./piece.ts";

/** What one round bracket multiplies a weight by; a square one divides. */
const bracketFactor = 1.1;

/** A backslash with what it protects, a weight that closes a bracket, a bracket, a colon, or text up to the next of these. */
const lexemes = /\\([()[\]\\]?)|:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)|[()[\]]|:|[^\\()[\]:]+/g;

const breakWord = /\s*\bBREAK\b\s*/;

interface OpenPiece {
  readonly text: string | undefined;
  weight: number;
}

/**
 * Reads a prompt as AUTOMATIC1111's web interface does.
 *
 * `(text)` weighs 1.1, `(text:1.3)` weighs 1.3, `[text]` weighs 1/1.1; nested weights multiply; a bracket that is not closed
 * counts to the end; `\(` and the like stand for themselves; the word `BREAK` begins a new window of the text encoder.
 */
export function parseA1111(text: string): PromptLine {
  const pieces: OpenPiece[] = [];
  const round: number[] = [];
  const square: number[] = [];
  const multiply = (from: number | undefined, factor: number): void => {
    for (let i = from ?? pieces.length; i < pieces.length; i++) pieces[i]!.weight *= factor;
  };
  for (const [lexeme, escaped, weight] of text.matchAll(lexemes)) {
    if (escaped !== undefined) pieces.push({ text: escaped, weight: 1 });
    else if (weight !== undefined && round.length > 0) multiply(round.pop(), Number(weight));
    else if (lexeme === "(") round.push(pieces.length);
    else if (lexeme === "[") square.push(pieces.length);
    else if (lexeme === ")" && round.length > 0) multiply(round.pop(), bracketFactor);
    else if (lexeme === "]" && square.length > 0) multiply(square.pop(), 1 / bracketFactor);
    else {
      for (const [index, part] of lexeme.split(breakWord).entries()) {
        if (index > 0) pieces.push({ text: undefined, weight: 1 });
        pieces.push({ text: part, weight: 1 });
      }
    }
  }
  for (const from of round) multiply(from, bracketFactor);
  for (const from of square) multiply(from, 1 / bracketFactor);
  const line = pieces.map((piece) => (piece.text === undefined ? "break" : { text: piece.text, weight: piece.weight }));
  return joinPieces(
    line.filter((piece) => piece === "break" || piece.text !== ""),
    "",
  );
}

/** The first `[from:to:when]` or `[one|other]` of a prompt, which A1111 would change between steps. */
export function promptEditing(text: string): string | undefined {
  const unescaped = text.replace(/\\[()[\]\\]/g, (pair) => " ".repeat(pair.length));
  return /\[[^[\]]*(?::[^[\]:]*:?\s*[\d.]+\s*|\|[^[\]]*)\]/.exec(unescaped)?.[0];
}
