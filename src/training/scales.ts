/** Where a value lies along an axis, and the values that are marked on it. */
export interface Scale {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Steps between ticks are 1, 2 or 5 times a power of ten; four to eight of them fit. */
export function linearScale(low: number, high: number, from: number, to: number): Scale {
  const span = high - low || Math.abs(high) || 1;
  const top = low + span;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const between = [5, 2, 1].map((factor) => factor * power).find((step) => span / step >= 4) ?? power;
  const first = Math.ceil(low / between - 1e-9);
  const count = Math.floor(top / between + 1e-9) - first + 1;
  const ticks = Array.from({ length: count }, (_, index) => (first + index) * between);
  return { place: (value) => from + ((value - low) / (top - low)) * (to - from), ticks };
}

/** Ticks at powers of ten, and at twice and five times them where the range is short. */
export function logarithmicScale(low: number, high: number, from: number, to: number): Scale {
  // A little air, so that a flat curve has a range.
  const [bottom, top] = [Math.log10(low) - 0.05, Math.log10(high) + 0.05];
  const factors = top - bottom > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(bottom); power <= top; power++) {
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (Math.log10(tick) >= bottom && Math.log10(tick) <= top) ticks.push(tick);
    }
  }
  return { place: (value) => from + ((Math.log10(value) - bottom) / (top - bottom)) * (to - from), ticks };
}

/** A number as an axis says it: 0.25, 12k, 3e-5. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(0).replace("e+", "e");
  return size >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(Number(value.toPrecision(4)));
}
