import { escapeText } from "../training/report-parts.ts";
import { linearScale, logarithmicScale, shortNumber } from "../training/scales.ts";
import type { Estimate } from "./bootstrap.ts";

/** A point of a plot, with the interval of its height. */
export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: Estimate;
  /** Whether it is drawn in the strong colour. */
  readonly strong: boolean;
}

export interface Scatter {
  /** What lies along x, on a logarithmic axis. */
  readonly across: string;
  readonly points: readonly ScatterPoint[];
}

const size = { width: 560, height: 340 };
const margin = { left: 58, right: 40, top: 16, bottom: 44 };

/** The look of plots: their classes are `grid` and `label` of a report, and these. */
export const scatterStyle: string = `
.bar { stroke: var(--soft); stroke-width: 1.5; }
.join { stroke: var(--raw); stroke-width: 1.5; stroke-dasharray: 4 4; }
.point { fill: var(--soft); } .strong { fill: var(--curve); }
.name { fill: var(--text); font-size: 12px; }
`;

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** About how wide and how high a letter of a name is. */
const letter = 6.6;
const line = 13;

/** Where the name of a point stands: beside it, above or below, as near as others leave room. */
function freePlace([x, y]: readonly [number, number], width: number, taken: readonly Box[]): Box {
  const boxes: Box[] = [];
  for (const lift of [-9, 10, -22, 23, -35, 36, -48, 49, -61, 62]) {
    for (const left of [x + 8, x - 8 - width]) {
      const top = y + lift - line / 2;
      boxes.push({ left, right: left + width, top, bottom: top + line });
    }
  }
  const inside = boxes.filter((box) => {
    const { left, right, top, bottom } = box;
    return left > margin.left && right < size.width && top > 0 && bottom < size.height - margin.bottom;
  });
  const meets = (a: Box, b: Box): boolean =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return inside.find((box) => !taken.some((other) => meets(box, other))) ?? inside[0] ?? boxes[0]!;
}

/** Quality against cost as inline SVG: points with bars of their intervals and their names; strong ones are joined. */
export function drawScatter({ across, points }: Scatter): string {
  if (points.length === 0) return "";
  const inner = { right: size.width - margin.right, bottom: size.height - margin.bottom };
  const all = (pick: (point: ScatterPoint) => number): number[] => points.map(pick);
  const [least, most] = [Math.min(...all(({ x }) => x)), Math.max(...all(({ x }) => x))];
  const x = logarithmicScale(least / 1.15, most * 1.4, margin.left, inner.right);
  const [low, high] = [Math.min(...all(({ y }) => y.low)), Math.max(...all(({ y }) => y.high))];
  const air = 0.06 * (high - low || Math.abs(high) || 1);
  const y = linearScale(low - air, high + air, inner.bottom, margin.top);
  const parts = y.ticks.map((tick) => {
    const at = y.place(tick).toFixed(1);
    return `<path class="grid" d="M${margin.left} ${at}H${inner.right}"/><text class="label" x="${margin.left - 8}" y="${at}" dy="0.32em" text-anchor="end">${shortNumber(tick)}</text>`;
  });
  for (const tick of x.ticks) {
    const at = x.place(tick).toFixed(1);
    parts.push(
      `<text class="label" x="${at}" y="${size.height - 24}" text-anchor="middle">${shortNumber(tick)}</text>`,
    );
  }
  parts.push(
    `<text class="label" x="${(margin.left + inner.right) / 2}" y="${size.height - 6}" text-anchor="middle">${escapeText(across)}</text>`,
  );
  const placed = points.map((point) => ({ ...point, at: [x.place(point.x), y.place(point.y.value)] as const }));
  const strong = placed.filter((point) => point.strong).sort((a, b) => a.x - b.x);
  const way = strong.map(({ at }, i) => `${i === 0 ? "M" : "L"}${at[0].toFixed(1)} ${at[1].toFixed(1)}`);
  if (strong.length > 1) parts.push(`<path class="join" d="${way.join("")}"/>`);
  for (const point of placed) {
    const [left, top] = point.at.map((value) => value.toFixed(1)) as [string, string];
    const [from, to] = [y.place(point.y.low), y.place(point.y.high)].map((value) => value.toFixed(1));
    parts.push(
      `<path class="bar" d="M${left} ${from}V${to}"/><circle class="${point.strong ? "strong" : "point"}" cx="${left}" cy="${top}" r="5"/>`,
    );
  }
  const taken: Box[] = placed.map(({ at: [px, py] }) => ({ left: px - 5, right: px + 5, top: py - 5, bottom: py + 5 }));
  for (const { name, at } of placed) {
    const box = freePlace(at, name.length * letter, taken);
    taken.push(box);
    parts.push(
      `<text class="name" x="${box.left.toFixed(1)}" y="${(box.bottom - 3).toFixed(1)}">${escapeText(name)}</text>`,
    );
  }
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeText(across)}">${parts.join("")}</svg>`;
}
