import { smoothBothWays } from "./smooth.ts";

/** A curve of a run. */
export interface Chart {
  readonly title: string;
  readonly steps: readonly number[];
  /** One value per step; those that are not finite (or not above 0 on a logarithmic axis) leave a gap. */
  readonly values: readonly number[];
  readonly axis: "linear" | "logarithmic";
  /** Values after which the weight of older ones is halved in the smooth curve; 0 draws the values alone. */
  readonly halfLife: number;
}

interface Scale {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

const size = { width: 860, height: 260 };
const margin = { left: 62, right: 26, top: 10, bottom: 28 };
/** Points along a curve; more cannot be told apart. */
const maxPoints = 600;

/** Draws a curve as inline SVG, whose colours are the page's: `raw`, `smooth`, `grid` and `label` are its classes. */
export function drawChart({ title, steps, values, axis, halfLife }: Chart): string {
  const shown = values.map((value) =>
    Number.isFinite(value) && (axis === "linear" || value > 0) ? value : Number.NaN,
  );
  const smoothed = halfLife > 0 ? smoothBothWays(shown, halfLife) : [];
  const [rawPoints, smoothPoints] = [thin(steps, shown), thin(steps, smoothed)];
  const heights = [...rawPoints, ...smoothPoints].map(([, y]) => y).filter(Number.isFinite);
  if (heights.length === 0) return "";
  const inner = { right: size.width - margin.right, bottom: size.height - margin.bottom };
  const x = linearScale(0, Math.max(1, steps.at(-1) ?? 1), margin.left, inner.right);
  const [low, high] = [least(heights), most(heights)];
  const scale = axis === "linear" ? linearScale : logarithmicScale;
  const y = scale(axis === "linear" ? Math.min(0, low) : low, high, inner.bottom, margin.top);
  const grid = y.ticks.map((tick) => {
    const at = y.place(tick).toFixed(1);
    return `<path class="grid" d="M${margin.left} ${at}H${inner.right}"/><text class="label" x="${margin.left - 8}" y="${at}" dy="0.32em" text-anchor="end">${short(tick)}</text>`;
  });
  const marks = x.ticks.map((tick) => {
    const at = x.place(tick).toFixed(1);
    return `<text class="label" x="${at}" y="${size.height - 8}" text-anchor="middle">${short(tick)}</text>`;
  });
  const curve = (name: string, points: readonly Point[]): string =>
    points.length === 0 ? "" : `<path class="${name}" d="${path(points, x, y)}"/>`;
  const curves = curve(halfLife > 0 ? "raw" : "smooth", rawPoints) + curve("smooth", smoothPoints);
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}">${grid.join("")}${marks.join("")}${curves}</svg>`;
}

type Point = readonly [step: number, value: number];

/** At most `maxPoints` points: the means of runs of equal length. */
function thin(steps: readonly number[], values: readonly number[]): Point[] {
  const stride = Math.ceil(values.length / maxPoints);
  const points: Point[] = [];
  for (let from = 0; from < values.length; from += stride) {
    const slice = values.slice(from, from + stride).filter(Number.isFinite);
    const mean = slice.length === 0 ? Number.NaN : slice.reduce((sum, value) => sum + value, 0) / slice.length;
    points.push([steps[Math.min(from + stride, steps.length) - 1]!, mean]);
  }
  return points;
}

function path(points: readonly Point[], x: Scale, y: Scale): string {
  let pen = "M";
  let drawn = "";
  for (const [step, value] of points) {
    if (Number.isFinite(value)) {
      drawn += `${pen}${x.place(step).toFixed(1)} ${y.place(value).toFixed(1)}`;
      pen = "L";
    } else pen = "M";
  }
  return drawn;
}

/** Steps between ticks are 1, 2 or 5 times a power of ten; four to eight of them fit. */
function linearScale(low: number, high: number, from: number, to: number): Scale {
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
function logarithmicScale(low: number, high: number, from: number, to: number): Scale {
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

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(0).replace("e+", "e");
  return size >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(Number(value.toPrecision(4)));
}
