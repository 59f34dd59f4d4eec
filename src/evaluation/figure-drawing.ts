/** Figures as SVG, with pictures in them as data URIs. */
import { escapeText } from "../training/report-parts.ts";
import type { VectorGeometry } from "./vector-geometry.ts";

/** A cell of a table of pictures. */
export interface DrawnCell {
  /** Data URIs of its pictures, side by side. */
  readonly pictures: readonly string[];
  readonly framed: boolean;
}

export interface FigureTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly cells: readonly (readonly DrawnCell[])[];
  /** Width and height of a picture on the page. */
  readonly shown: number;
}

/** About how wide a letter is, of the font's size. */
const letter = 0.56;
/** The same of words with many capitals, such as names of samplers. */
const wideLetter = 0.66;
const fontSize = 12;

/** Between a corner of the plane of vectors and its pictures. */
const beside = 16;

const head = (width: number, height: number): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="${fontSize}"><rect width="100%" height="100%" fill="white"/>`;

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more === "" ? "" : ` ${more}`}>${escapeText(words)}</text>`;
}

/** Words in as many lines as they need, each of at most so many pixels. */
function wrapped(words: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length * letter * fontSize > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

const picture = (href: string, x: number, y: number, side: number): string =>
  `<image x="${x}" y="${y}" width="${side}" height="${side}" href="${href}"/>`;

const frame = (x: number, y: number, width: number, height: number): string =>
  `<rect x="${x - 1}" y="${y - 1}" width="${width + 2}" height="${height + 2}" fill="none" stroke="#b3541e" stroke-width="3"/>`;

/** A table of pictures with headings, as an SVG file. */
export function drawFigureTable({ title, columns, rows, cells, shown }: FigureTable): string {
  const gap = 6;
  const each = Math.max(...cells.flat().map(({ pictures }) => pictures.length));
  const [tileWidth, tileHeight] = [each * shown + gap, shown + gap];
  const left = Math.ceil(Math.max(...rows.map((row) => row.length)) * wideLetter * fontSize) + 14;
  const heads = columns.map((words) => wrapped(words, tileWidth - 4));
  const deepest = Math.max(...heads.map(({ length }) => length));
  const top = 28 + deepest * 14;
  const parts = [text(6, 17, title, 'font-weight="bold"')];
  heads.forEach((lines, c) => {
    lines.forEach((words, i) => {
      const y = top - 6 - (lines.length - 1 - i) * 14;
      parts.push(text(left + c * tileWidth + (tileWidth - gap) / 2, y, words, 'text-anchor="middle"'));
    });
  });
  cells.forEach((row, r) => {
    const y = top + r * tileHeight;
    parts.push(text(left - 8, y + shown / 2 + 4, rows[r]!, 'text-anchor="end"'));
    row.forEach(({ pictures, framed }, c) => {
      const x = left + c * tileWidth;
      pictures.forEach((href, i) => {
        parts.push(picture(href, x + i * shown, y, shown));
      });
      if (framed) parts.push(frame(x, y, pictures.length * shown, shown));
    });
  });
  const width = Math.max(left + columns.length * tileWidth, Math.ceil(title.length * wideLetter * fontSize) + 12);
  return `${head(width, top + rows.length * tileHeight)}${parts.join("")}</svg>\n`;
}

/** The plane of two task vectors. */
export interface VectorFigure {
  readonly model: string;
  readonly style: string;
  readonly lambdas: { readonly style: number; readonly lcm: number };
  /** Of the acceleration vector and the style's. */
  readonly geometry: VectorGeometry;
  /** Pictures at the model, with the style, with the acceleration, and with both; data URIs. */
  readonly corners: readonly (readonly string[])[];
  readonly captions: readonly string[];
  readonly shown: number;
}

/**
 * The acceleration vector and a style's as arrows from the model, as long as lambda times their norms say and with the angle
 * between them, with pictures at the four corners.
 * @paper figure 2
 */
export function drawVectorFigure(figure: VectorFigure): string {
  const { model, style, lambdas, geometry, corners, captions, shown } = figure;
  const { norms, cosine, shared, layers } = geometry;
  const lengths = [lambdas.lcm * norms[0], lambdas.style * norms[1]] as const;
  const scale = 330 / Math.max(...lengths, Number.MIN_VALUE);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const along: readonly [number, number] = [lengths[0] * scale, 0];
  const up: readonly [number, number] = [lengths[1] * scale * Math.cos(angle), -lengths[1] * scale * Math.sin(angle)];
  const each = corners[0]!.length;
  const strip = each * shown;
  const places = [[0, 0], up, along, [along[0] + up[0], along[1] + up[1]]] as const;
  const highest = Math.min(...places.map(([, y]) => y));
  // Pictures stand outside of the parallelogram: beside, and below its lower corners and above its upper ones.
  const isAbove = (corner: number): boolean => corner === 1 || corner === 3;
  const startOf = (corner: number): number => places[corner]![0] + (corner < 2 ? -strip - beside : beside);
  const starts = places.map((_, corner) => startOf(corner));
  const origin: readonly [number, number] = [20 - Math.min(...starts), shown + 50 - highest];
  const width = Math.ceil(origin[0] + Math.max(...starts) + strip + 20);
  const height = Math.ceil(origin[1] + shown + 92);
  const at = places.map(([x, y]) => [origin[0] + x, origin[1] + y] as const);
  const line = (from: number, to: number, look: string): string =>
    `<path d="M${at[from]![0].toFixed(1)} ${at[from]![1].toFixed(1)}L${at[to]![0].toFixed(1)} ${at[to]![1].toFixed(1)}" fill="none" ${look}/>`;
  const dashed = 'stroke="#999999" stroke-width="1.5" stroke-dasharray="5 4"';
  const parts = [
    '<defs><marker id="tip" markerWidth="6" markerHeight="6" viewBox="0 0 9 8" refX="8" refY="4" orient="auto"><path d="M0 0L9 4L0 8Z" fill="#22252b"/></marker></defs>',
    text(
      6,
      17,
      `theta' = theta + ${lambdas.style} tau_${style} + ${lambdas.lcm} tau_LCM on ${model}`,
      'font-weight="bold"',
    ),
    line(1, 3, dashed),
    line(2, 3, dashed),
    line(0, 2, 'stroke="#22252b" stroke-width="2" marker-end="url(#tip)"'),
    line(0, 1, 'stroke="#22252b" stroke-width="2" marker-end="url(#tip)"'),
    line(0, 3, 'stroke="#b3541e" stroke-width="2" marker-end="url(#tip)"'),
    text(at[0]![0] + along[0] / 2, origin[1] + 16, `${lambdas.lcm} tau_LCM`, 'text-anchor="middle"'),
    text(at[0]![0] + up[0] / 2 - 8, origin[1] + up[1] / 2, `${lambdas.style} tau_${style}`, 'text-anchor="end"'),
  ];
  corners.forEach((pictures, corner) => {
    const left = origin[0] + starts[corner]!;
    const y = at[corner]![1];
    const top = isAbove(corner) ? y - shown : y;
    pictures.forEach((href, i) => {
      parts.push(picture(href, Math.round(left + i * shown), Math.round(top), shown));
    });
    const words = captions[corner]!;
    parts.push(text(left + strip / 2, isAbove(corner) ? top - 6 : top + shown + 14, words, 'text-anchor="middle"'));
  });
  const facts = [
    `|tau_LCM| = ${norms[0].toPrecision(4)}, |tau_${style}| = ${norms[1].toPrecision(4)}, cosine ${cosine.toFixed(4)} (${((angle * 180) / Math.PI).toFixed(1)} degrees)`,
    `${shared} of ${layers[0]} and ${layers[1]} layers are changed by both; lengths and angle are drawn to scale`,
  ];
  facts.forEach((words, i) => {
    parts.push(text(6, height - 26 + i * 16, words));
  });
  const wide = Math.max(width, Math.ceil(Math.max(...facts.map(({ length }) => length)) * letter * fontSize) + 12);
  return `${head(wide, height)}${parts.join("")}</svg>\n`;
}
