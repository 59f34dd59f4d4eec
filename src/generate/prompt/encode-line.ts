import { linearCombination, stack } from "../../tensor/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { EncodedText } from "../networks.ts";
import type { CompelConjunction } from "./compel-syntax.ts";
import type { PromptLine } from "./piece.ts";
import type { ParsedPrompt } from "./syntax.ts";
import { absenceWeight, emphasise, moveFromEmpty } from "./weigh.ts";
import { cutWindows, emptyWindow, fillWindows, type TextWindow, type WindowOptions } from "./windows.ts";

type Floats = Tensor<"float32">;

/** One text encoder of a model, with what makes windows for it. */
export interface WindowEncoder extends WindowOptions {
  /** Hidden states `[length, width]` of one window; `hidden` is 1 for tokens that no other looks at. */
  encode(ids: readonly number[], hidden?: readonly number[]): Promise<EncodedText>;
}

/** A prompt through one text encoder. */
export interface EncodedPrompt {
  /** `[windows * length, width]`. */
  readonly states: Floats;
  /** Of the first window, unweighted. */
  readonly pooled: Floats | undefined;
}

/** Encodes a prompt, as many windows as it needs, and weighs its tokens as its syntax means. */
export function encodeParsed(parsed: ParsedPrompt, encoder: WindowEncoder): Promise<EncodedPrompt> {
  return parsed.syntax === "compel"
    ? encodeConjunction(parsed.conjunction, encoder)
    : encodeEmphasised(fillWindows(parsed.line, { ...encoder, keepPhrases: parsed.syntax === "a1111" }), encoder);
}

/** Encoded prompts of as many windows each: shorter ones go on with windows of nothing. */
export async function padWindows(
  prompts: readonly EncodedPrompt[],
  encoder: WindowEncoder,
  rows: number = Math.max(...prompts.map(({ states }) => states.shape[0]!)),
): Promise<EncodedPrompt[]> {
  if (prompts.every(({ states }) => states.shape[0] === rows)) return [...prompts];
  const { states: nothing } = await encoder.encode(emptyWindow(encoder).ids);
  return prompts.map(({ states, pooled }) => {
    const missing = (rows - states.shape[0]!) / encoder.length;
    return { states: stack([states, ...new Array<Floats>(missing).fill(nothing)]), pooled };
  });
}

async function encodeEmphasised(windows: readonly TextWindow[], encoder: WindowEncoder): Promise<EncodedPrompt> {
  const encoded: EncodedText[] = [];
  for (const { ids } of windows) encoded.push(await encoder.encode(ids));
  const states = stack(encoded.map((one, i) => emphasise(one.states, windows[i]!.weights)));
  return { states, pooled: encoded[0]?.pooled };
}

/** Blends one after the other, each moved from the empty text by its weight. */
async function encodeConjunction(conjunction: CompelConjunction, encoder: WindowEncoder): Promise<EncodedPrompt> {
  const parts: Floats[] = [];
  let pooled: Floats | undefined;
  for (const { blend, weight } of conjunction) {
    const lines: EncodedPrompt[] = [];
    for (const line of blend.lines) lines.push(await encodeCompel(line, encoder));
    const padded = await padWindows(lines, encoder);
    const mixed = padded.length === 1 && blend.weights[0] === 1 ? padded[0]!.states : mix(padded, blend.weights);
    pooled ??= lines[0]!.pooled;
    parts.push(weight === 1 ? mixed : await fromNothing(mixed, weight, encoder));
  }
  return { states: stack(parts), pooled };
}

function mix(prompts: readonly EncodedPrompt[], weights: readonly number[]): Floats {
  return linearCombination(prompts.map(({ states }, i) => [weights[i]!, states]));
}

async function fromNothing(states: Floats, weight: number, encoder: WindowEncoder): Promise<Floats> {
  const { states: nothing } = await encoder.encode(emptyWindow(encoder).ids);
  const rows = states.shape[0]!;
  const empty = stack(new Array<Floats>(rows / encoder.length).fill(nothing));
  return moveFromEmpty(states, empty, new Array<number>(rows).fill(weight));
}

/**
 * A line as Compel weighs it: tokens are moved from the empty text by their weights, and for each piece that weighs less
 * than 1 the text without it is mixed in.
 */
async function encodeCompel(line: PromptLine, encoder: WindowEncoder): Promise<EncodedPrompt> {
  const windows = cutWindows(line, encoder);
  const weighed = windows.some(({ weights }) => weights.some((weight) => weight !== 1));
  const empty = weighed ? (await encoder.encode(emptyWindow(encoder).ids)).states : undefined;
  let pooled: Floats | undefined;
  const through = async (hiddenOf: (index: number) => readonly number[] | undefined): Promise<Floats> => {
    const states: Floats[] = [];
    for (const [index, { ids, weights }] of windows.entries()) {
      const encoded = await encoder.encode(ids, hiddenOf(index));
      pooled ??= encoded.pooled;
      states.push(empty === undefined ? encoded.states : moveFromEmpty(encoded.states, empty, weights));
    }
    return stack(states);
  };
  const terms: [number, Floats][] = [[1, await through(() => undefined)]];
  for (const [index, piece] of line.entries()) {
    if (piece === "break" || piece.weight >= 1) continue;
    const hidden = hiddenTokens(windows, index);
    if (hidden !== undefined) terms.push([absenceWeight(piece.weight), await through((window) => hidden[window])]);
  }
  const total = terms.reduce((sum, [weight]) => sum + weight, 0);
  const states = terms.length === 1 ? terms[0]![1] : linearCombination(terms.map(([w, x]) => [w / total, x]));
  return { states, pooled };
}

/**
 * Which tokens of each window are hidden to leave a piece out: from its first token to its last, with what lies between
 * where it reaches over windows, but never the first and last place of a window. Undefined when the piece has no tokens.
 */
function hiddenTokens(windows: readonly TextWindow[], piece: number): (readonly number[] | undefined)[] | undefined {
  const places = windows.flatMap(({ pieces }) => pieces);
  const first = places.indexOf(piece);
  const last = places.lastIndexOf(piece);
  if (first < 0) return undefined;
  let from = 0;
  return windows.map(({ pieces: { length } }) => {
    const begin = from;
    from += length;
    if (last < begin || first >= from) return undefined;
    return Array.from({ length }, (_, i) =>
      i > 0 && i < length - 1 && begin + i >= first && begin + i <= last ? 1 : 0,
    );
  });
}
