import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { type EncoderWords, tokenGroups } from "./learned-words.ts";
import type { PromptLine } from "./piece.ts";

/** What a text encoder takes at once: begin, tokens, end, padding. */
export interface TextWindow {
  readonly ids: readonly number[];
  /** How much each token counts; 1 for begin, end and padding. */
  readonly weights: readonly number[];
  /** Number of the piece of the prompt that each token is from; -1 for begin, end and padding. */
  readonly pieces: readonly number[];
}

/** What makes windows of a prompt. */
export interface WindowOptions {
  readonly tokenizer: ClipTokenizer;
  readonly words: EncoderWords;
  /** Tokens of a window, with begin and end. */
  readonly length: number;
}

/** Tokens after a comma that A1111 takes along into the next window, so that no phrase is torn. */
const commaBacktrack = 20;

interface Token {
  readonly id: number;
  readonly weight: number;
  readonly piece: number;
}

/**
 * Windows as A1111 fills them: up to the last place, but a phrase of up to 20 tokens after a comma moves on as a whole, a
 * learned word is not parted, and a break begins a new window. There is at least one.
 * @param options.keepPhrases without it, windows are filled whatever the words are
 */
export function fillWindows(
  line: PromptLine,
  { tokenizer, words, length, keepPhrases }: WindowOptions & { readonly keepPhrases: boolean },
): TextWindow[] {
  const room = length - 2;
  const comma = tokenizer.encode(",");
  const windows: TextWindow[] = [];
  let tokens: Token[] = [];
  let afterComma = -1;
  const close = (): void => {
    windows.push(windowOf(tokens, tokenizer, length));
    tokens = [];
    afterComma = -1;
  };
  for (const [index, piece] of line.entries()) {
    if (piece === "break") {
      close();
      continue;
    }
    for (const ids of tokenGroups(piece.text, tokenizer, words)) {
      const isComma = ids.length === 1 && comma.length === 1 && ids[0] === comma[0];
      if (isComma) afterComma = tokens.length + 1;
      else if (
        keepPhrases &&
        tokens.length === room &&
        afterComma >= 0 &&
        tokens.length - (afterComma - 1) <= commaBacktrack
      ) {
        const moved = tokens.slice(afterComma);
        tokens = tokens.slice(0, afterComma);
        close();
        tokens = moved;
      }
      if (tokens.length > 0 && tokens.length + ids.length > room) close();
      for (const id of ids) {
        if (tokens.length === room) close();
        tokens.push({ id, weight: piece.weight, piece: index });
      }
    }
  }
  if (tokens.length > 0 || windows.length === 0) close();
  return windows;
}

/**
 * Windows as Compel cuts them: a text that is too long for one ends it with its last whole sentence, else phrase, else word.
 * There is at least one.
 */
export function cutWindows(line: PromptLine, { tokenizer, words, length }: WindowOptions): TextWindow[] {
  const single = (text: string): number => {
    const ids = tokenizer.encode(text);
    return ids.length === 1 ? ids[0]! : -1;
  };
  const sentence = new Set([single(".")]);
  const phrase = new Set([".", ",", ";", ":"].map(single));
  const endings = [
    (id: number) => sentence.has(id),
    (id: number) => phrase.has(id),
    (id: number) => tokenizer.endsWord(id),
  ];
  let rest: Token[] = line.flatMap((piece, index) =>
    piece === "break"
      ? []
      : tokenGroups(piece.text, tokenizer, words)
          .flat()
          .map((id) => ({ id, weight: piece.weight, piece: index })),
  );
  const windows: TextWindow[] = [];
  do {
    let end = Math.min(rest.length, length - 2);
    if (rest.length > end) {
      const ends = endings.map((isEnd) => rest.slice(0, end).findLastIndex(({ id }) => isEnd(id)) + 1);
      end = ends.find((place) => place > 0) ?? end;
    }
    windows.push(windowOf(rest.slice(0, end), tokenizer, length));
    rest = rest.slice(end);
  } while (rest.length > 0);
  return windows;
}

/** A window of nothing. */
export function emptyWindow({ tokenizer, length }: WindowOptions): TextWindow {
  return windowOf([], tokenizer, length);
}

function windowOf(tokens: readonly Token[], { bosId, eosId, padId }: ClipTokenizer, length: number): TextWindow {
  const padding = length - tokens.length - 2;
  const around = <T>(begin: T, inner: readonly T[], end: T, pad: T): T[] => [
    begin,
    ...inner,
    end,
    ...new Array<T>(padding).fill(pad),
  ];
  return {
    ids: around(
      bosId,
      tokens.map(({ id }) => id),
      eosId,
      padId,
    ),
    weights: around(
      1,
      tokens.map(({ weight }) => weight),
      1,
      1,
    ),
    pieces: around(
      -1,
      tokens.map(({ piece }) => piece),
      -1,
      -1,
    ),
  };
}
