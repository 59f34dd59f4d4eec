import { linearScale, logarithmicScale, type Scale, shortNumber } from "./scales.ts";
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
  /** A step whose value gets a dot. */
  readonly mark?: number;
}

const size = { width: 860, height: 260 };
const margin = { left: 62, right: 26, top: 10, bottom: 28 };
/** Points along a curve; more cannot be told apart. */
const maxPoints = 600;

/** Draws a curve as inline SVG, whose colours are the page's: `raw`, `smooth`, `grid`, `label` and `mark` are its classes. */
export function drawChart({ title, steps, values, axis, halfLife, mark }: Chart): string {
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
    return `<path class="grid" d="M${margin.left} ${at}H${inner.right}"/><text class="label" x="${margin.left - 8}" y="${at}" dy="0.32em" text-anchor="end">${shortNumber(tick)}</text>`;
  });
  const marks = x.ticks.map((tick) => {
    const at = x.place(tick).toFixed(1);
    return `<text class="label" x="${at}" y="${size.height - 8}" text-anchor="middle">${shortNumber(tick)}</text>`;
  });
  const curve = (name: string, points: readonly Point[]): string =>
    points.length === 0 ? "" : `<path class="${name}" d="${path(points, x, y)}"/>`;
  const curves = curve(halfLife > 0 ? "raw" : "smooth", rawPoints) + curve("smooth", smoothPoints);
  const marked = mark === undefined ? Number.NaN : (shown[steps.indexOf(mark)] ?? Number.NaN);
  const dot = Number.isFinite(marked)
    ? `<circle class="mark" cx="${x.place(mark!).toFixed(1)}" cy="${y.place(marked).toFixed(1)}" r="5"/>`
    : "";
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}">${grid.join("")}${marks.join("")}${curves}${dot}</svg>`;
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

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
