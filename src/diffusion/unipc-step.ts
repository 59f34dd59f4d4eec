import { type LevelPoint, phi2, phi3, taylorCoefficients } from "./dpm-step.ts";

/** What UniPC's step size stands for in its weights: B(h) = h, or e^h - 1. */
export type UniPcKind = "bh1" | "bh2";

/** A predicting or correcting step of UniPC as a linear combination. */
export interface UniPcStep {
  readonly sample: number;
  /** Of the predictions, newest first. */
  readonly predictions: readonly number[];
  /** Of the prediction at the step's end, which only a correcting step has (else 0). */
  readonly corrected: number;
}

/** What a step depends on. */
export interface UniPcStepOptions {
  readonly kind: UniPcKind;
  /** Whether the predicted picture is integrated, or the predicted noise. */
  readonly of: "picture" | "noise";
  readonly to: LevelPoint;
  /** Where the predictions were made, newest first; as many as the order, 1 to 3. */
  readonly from: readonly LevelPoint[];
}

/** UniP (Zhao et al. 2023, equation 3): from the newest prediction's level to the next, of order `from.length`. */
export function unipPredict(options: UniPcStepOptions): UniPcStep {
  const { sample, value, x, a } = exponential(options);
  const ratios = ratiosOf(options);
  if (ratios.length === 0 || x === 0 || !Number.isFinite(x)) {
    return { sample, predictions: [value, ...ratios.map(() => 0)], corrected: 0 };
  }
  // A single weight is 1/2 in the limit of small steps, whatever B(h) is.
  const weights = ratios.length === 1 ? [0.5] : solve(vandermonde(ratios), rightSide(options.kind, x, ratios.length));
  return { ...combined(sample, value, a * stepSize(options.kind, x), ratios, weights), corrected: 0 };
}

/**
 * UniC (Zhao et al. 2023, equation 9): takes the same step once more, now that the prediction at its end is known; its
 * order is one higher.
 */
export function unicCorrect(options: UniPcStepOptions): UniPcStep {
  const { kind } = options;
  const { sample, value, x, a } = exponential(options);
  const ratios = ratiosOf(options);
  const weights =
    ratios.length === 0 ? [0.5] : solve(vandermonde([...ratios, 1]), rightSide(kind, x, ratios.length + 1));
  const b = a * stepSize(kind, x);
  const last = -b * weights[ratios.length]!;
  const { predictions } = combined(sample, value, b, ratios, weights);
  return { sample, predictions: [predictions[0]! - last, ...predictions.slice(1)], corrected: last };
}

/** The first-order step, with x and a as `taylorCoefficients` has them. */
function exponential({ of, to, from }: UniPcStepOptions): { sample: number; value: number; x: number; a: number } {
  const h = to.lambda - from[0]!.lambda;
  const { sample, value } = taylorCoefficients(of === "picture" ? "dpmsolver++" : "dpmsolver", from[0]!, to);
  return of === "picture" ? { sample, value, x: -h, a: to.alpha } : { sample, value, x: h, a: to.sigma };
}

/** How far behind the newest prediction the older ones lie, in steps: negative numbers. */
function ratiosOf({ to, from }: UniPcStepOptions): readonly number[] {
  const [newest, ...older] = from;
  return older.map(({ lambda }) => (lambda - newest!.lambda) / (to.lambda - newest!.lambda));
}

function stepSize(kind: UniPcKind, x: number): number {
  return kind === "bh1" ? x : Math.expm1(x);
}

/** n! phi_(n+1)(x) x / B for n = 1 to count. */
function rightSide(kind: UniPcKind, x: number, count: number): readonly number[] {
  const b = stepSize(kind, x);
  const terms = [phi2(x), 2 * phi3(x), 6 * (phi3(x) / x - 1 / 6)];
  return terms.slice(0, count).map((term) => term / b);
}

/** The first-order step and weighted differences to the newest prediction. */
function combined(
  sample: number,
  value: number,
  b: number,
  ratios: readonly number[],
  weights: readonly number[],
): Omit<UniPcStep, "corrected"> {
  const older = ratios.map((ratio, i) => (-b * weights[i]!) / ratio);
  return { sample, predictions: [value - older.reduce((sum, x) => sum + x, 0), ...older] };
}

/** Rows of powers 0, 1, ... of the numbers. */
function vandermonde(numbers: readonly number[]): readonly (readonly number[])[] {
  return numbers.map((_, power) => numbers.map((x) => x ** power));
}

/** Solves a small linear system by elimination with pivots. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[pivot]![k]!)) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}
