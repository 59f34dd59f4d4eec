import { UsageError } from "../../errors.ts";
import { type CompelNode, readPrompt, readTargets } from "./compel-grammar.ts";
import { joinPieces, type PromptLine } from "./piece.ts";

/** Lines whose encodings are added, each times its weight. */
export interface CompelBlend {
  readonly lines: readonly PromptLine[];
  readonly weights: readonly number[];
}

/** Blends whose encodings follow each other, each drawn towards or away from the empty text by its weight. */
export type CompelConjunction = readonly { readonly blend: CompelBlend; readonly weight: number }[];

/**
 * Reads a prompt in Compel's syntax: `word++`, `(some words)1.3`, `"some words"--`, `(…).attend(1.3)`, and over a whole
 * prompt `("one", "other").and(1, 0.5)` or `("one", "other").blend(0.7, 0.3)`. Each `+` is a factor of 1.1, each `-` of 0.9;
 * nested weights multiply; a backslash takes the meaning from the character after it.
 * @throws UsageError for an operator that is not understood, or as many weights as there are no texts
 */
export function parseCompel(text: string): CompelConjunction {
  const spaced = text.replace(/,(?=\S)/g, ", ").trim();
  const whole = /^\((.*)\)\s*\.(and|add|blend)\s*\(([^()]*)\)$/s.exec(spaced);
  const targets = whole === null ? undefined : readTargets(whole[1]!);
  if (whole !== null && targets !== undefined) {
    const lines = targets.map((target) => flatten(target));
    const { weights, normalised } = readWeights(whole[3]!, lines.length, text);
    if (whole[2] === "blend") {
      const sum = normalised ? weights.reduce((a, b) => a + b, 0) : 1;
      if (sum === 0) throw new UsageError(`"${text}": the weights of a blend must not add up to 0.`);
      return [{ blend: { lines, weights: weights.map((weight) => weight / sum) }, weight: 1 }];
    }
    return lines.map((line, i) => ({ blend: { lines: [line], weights: [1] }, weight: weights[i]! }));
  }
  const operator = /[)"]\s*\.(swap|and|add|blend)\s*\(|\b(?:use|with)Lora\(/.exec(spaced);
  if (operator !== null) {
    const name = operator[1] ?? "withLora";
    const advice =
      name === "withLora"
        ? "give LoRAs with --lora"
        : name === "swap"
          ? "it changes the attention while drawing, which is not offered"
          : `it takes a whole prompt of quoted texts, as in ("one", "other").${name}()`;
    throw new UsageError(`"${text}": .${name}() is not understood here; ${advice}.`);
  }
  return [{ blend: { lines: [flatten(readPrompt(spaced))], weights: [1] }, weight: 1 }];
}

function readWeights(options: string, count: number, text: string): { weights: number[]; normalised: boolean } {
  const words = options
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  const normalised = words.at(-1) !== "no_normalize";
  const numbers = (normalised ? words : words.slice(0, -1)).map(Number);
  const weights = numbers.length === 0 ? new Array<number>(count).fill(1) : numbers;
  if (weights.length !== count || !weights.every(Number.isFinite)) {
    throw new UsageError(
      `"${text}": ${count} texts need ${count} numbers as weights, or none, but "${options}" is given.`,
    );
  }
  return { weights, normalised };
}

function flatten(nodes: readonly CompelNode[], weight = 1): PromptLine {
  const pieces = nodes.flatMap(
    (node): PromptLine =>
      typeof node === "string" ? [{ text: node, weight }] : flatten(node.children, node.weight * weight),
  );
  return joinPieces(pieces, " ");
}
