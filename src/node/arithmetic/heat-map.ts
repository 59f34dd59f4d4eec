import sharp from "sharp";
import { UsageError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import type { ComparisonResult } from "./compare-vectors.ts";

const cell = { width: 64, height: 30 };
const margin = { left: 130, top: 120, right: 110, bottom: 20 };

/** A colour for a cosine: blue for -`most`, white for 0, red for `most`. */
function colour(value: number, most: number): string {
  const share = Math.max(-1, Math.min(1, value / most));
  const [r, g, b] = share < 0 ? [33, 102, 172] : [178, 24, 43];
  const mix = (full: number): number => Math.round(255 + (full - 255) * Math.abs(share));
  return `rgb(${mix(r)},${mix(g)},${mix(b)})`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/**
 * Cosines of two vectors by block (down) and kind of layer (across), as an SVG. Colours span the largest absolute value that
 * occurs, which is written above.
 */
export function heatMap(result: ComparisonResult, title: string): string {
  const blocks = Object.keys(result.cells);
  const kinds = Object.keys(result.kinds);
  const values = blocks.flatMap((block) => Object.values(result.cells[block] ?? {})).filter((value) => value !== null);
  const most = Math.max(...values.map(Math.abs), 1e-9);
  const width = margin.left + kinds.length * cell.width + margin.right;
  const height = margin.top + blocks.length * cell.height + margin.bottom;
  const parts = [
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="12" y="22" font-size="14">${escaped(title)}</text>`,
    `<text x="12" y="40" fill="#555">cosine of the changes: blue -${most.toFixed(2)}, white 0, red ${most.toFixed(2)}; in all ${(result.all.cosine ?? 0).toFixed(3)}</text>`,
  ];
  for (const [x, kind] of kinds.entries()) {
    const at = margin.left + (x + 0.5) * cell.width;
    parts.push(`<text transform="translate(${at - 4},${margin.top - 8}) rotate(-35)">${escaped(kind)}</text>`);
  }
  for (const [y, block] of blocks.entries()) {
    const top = margin.top + y * cell.height;
    parts.push(`<text x="12" y="${top + 19}">${escaped(block)}</text>`);
    for (const [x, kind] of kinds.entries()) {
      const value = result.cells[block]?.[kind];
      const left = margin.left + x * cell.width;
      const fill = value === undefined || value === null ? "#eee" : colour(value, most);
      parts.push(`<rect x="${left}" y="${top}" width="${cell.width - 1}" height="${cell.height - 1}" fill="${fill}"/>`);
      if (value === undefined || value === null) continue;
      const ink = Math.abs(value) > 0.6 * most ? "white" : "#222";
      parts.push(
        `<text x="${left + cell.width / 2}" y="${top + 19}" text-anchor="middle" fill="${ink}">${value.toFixed(2).replace(/^-(0\.00)$/, "$1")}</text>`,
      );
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">${parts.join("")}</svg>\n`;
}

/** Pixels of a PNG for one of the SVG. */
const density = 1.5;

/** @throws UsageError when a heat map cannot be written under a name of this ending */
export function checkHeatMapPath(path: string): void {
  if (/\.(svg|png)$/i.test(path)) return;
  throw new UsageError(`${path}: a heat map is written as .svg or .png; give a name that ends so.`);
}

/** Writes a heat map as the file's name says. @throws UsageError when it cannot be written */
export async function writeHeatMap(path: string, result: ComparisonResult, title: string): Promise<void> {
  checkHeatMapPath(path);
  const svg = heatMap(result, title);
  const png = /\.png$/i.test(path);
  await writeFileAtomically(
    path,
    png
      ? await sharp(Buffer.from(svg), { density: 72 * density })
          .png()
          .toBuffer()
      : svg,
  );
}
