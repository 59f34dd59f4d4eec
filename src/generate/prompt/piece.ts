/** A stretch of a prompt and how much it counts; 1 is as it stands. */
export interface PromptPiece {
  readonly text: string;
  readonly weight: number;
}

/** Pieces in reading order; at a break the text goes on in the encoder's next window. */
export type PromptLine = readonly (PromptPiece | "break")[];

/** Joins neighbours of one weight. */
export function joinPieces(line: PromptLine, separator: string): PromptLine {
  const joined: (PromptPiece | "break")[] = [];
  for (const piece of line) {
    const last = joined.at(-1);
    if (piece !== "break" && last !== undefined && last !== "break" && last.weight === piece.weight) {
      joined[joined.length - 1] = { text: last.text + separator + piece.text, weight: piece.weight };
    } else joined.push(piece);
  }
  return joined;
}

/** The text of a line without weights and breaks. */
export function plainText(line: PromptLine, separator: string): string {
  const texts = line.map((piece) => (piece === "break" ? " " : piece.text));
  return texts.join(separator).replace(/\s+/g, " ").trim();
}
