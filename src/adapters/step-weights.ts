import { UsageError } from "../errors.ts";

/** How strongly an adapter acts in each step. */
export interface StepWeights {
  /** The weight in step `index`, from 0, of `steps`. */
  readonly at: (index: number, steps: number) => number;
}

interface Span {
  readonly weight: number;
  readonly begin: number;
  readonly end: number;
  /** Whether the two are shares of all steps, or numbers of steps. */
  readonly shares: boolean;
}

const span = /^([^@]*)@(\d+(?:\.\d+)?)(%?)(?:-(\d+(?:\.\d+)?)(%?))?$/;

/**
 * Reads weights that change with the steps: `0.8@0-50%,0.2@50-100%`, or by the numbers of the steps, from 1 and both
 * included, `0.8@1-2,0@3-4`. A step that begins within a span has its weight; one that is in no span has 0, and of several
 * spans the last counts.
 * @throws UsageError when it is written otherwise, or a weight is no finite number
 */
export function parseStepWeights(text: string): StepWeights {
  const spans = text.split(",").map((piece) => parseSpan(piece.trim(), text));
  const at = (index: number, steps: number): number =>
    spans.findLast(({ begin, end, shares }) => {
      if (!shares) return index + 1 >= begin && index + 1 <= end;
      // In hundredths, so that 3 of 4 steps begin at 75 exactly.
      const share = (100 * index) / steps;
      return share >= begin && share < end;
    })?.weight ?? 0;
  return { at };
}

function parseSpan(piece: string, text: string): Span {
  const [, number, begin, first, end = begin, second = first] = span.exec(piece) ?? [];
  if (number === undefined || begin === undefined || (first === "%" && second === "")) {
    throw new UsageError(
      `"${text}": "${piece}" is no weight for some steps; write such as 0.8@0-50% or, by their numbers, 0.8@1-2.`,
    );
  }
  const weight = Number(number);
  if (number.trim() === "" || !Number.isFinite(weight)) {
    throw new UsageError(`"${text}": the weight "${number}" must be a number, such as 0.8.`);
  }
  return { weight, begin: Number(begin), end: Number(end), shares: second === "%" };
}

/**
 * One weight from step `start` on and before step `stop`, counted from 1; between 0 and 1 they are shares of all steps.
 *
 * So `start`, `stop` and `step` of LoRA Block Weight count, an extension of AUTOMATIC1111's web interface.
 */
export function startAndStop(weight: number, start: number | undefined, stop: number | undefined): StepWeights {
  const number = (given: number, steps: number): number =>
    given > 0 && given < 1 ? Math.max(1, Math.round(given * steps)) : given;
  const at = (index: number, steps: number): number => {
    const begun = start === undefined || index + 1 >= number(start, steps);
    const ended = stop !== undefined && index + 1 >= number(stop, steps);
    return begun && !ended ? weight : 0;
  };
  return { at };
}
