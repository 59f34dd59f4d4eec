import { writeFileSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";

/** One subject of a contact sheet: its name over its pictures, `undefined` where a style lacks it. */
export interface SheetEntry {
  readonly label: string;
  readonly pictures: readonly (Buffer | undefined)[];
}

/** Entries side by side; each shows its pictures in a row. */
const entriesAcross = 4;
const labelHeight = 12;

/** Writes a PNG that shows every entry with its name, for a person to look at. */
export async function drawContactSheet(path: string, entries: readonly SheetEntry[], size: number): Promise<void> {
  const across = Math.max(...entries.map((entry) => entry.pictures.length));
  const width = entriesAcross * (across * (size + 2) + 12);
  const height = Math.ceil(entries.length / entriesAcross) * (size + labelHeight + 4);
  const parts = entries.map((entry, index) => {
    const left = (index % entriesAcross) * (across * (size + 2) + 12);
    const top = Math.floor(index / entriesAcross) * (size + labelHeight + 4);
    const images = entry.pictures.map((picture, column) => {
      const x = left + column * (size + 2);
      if (picture === undefined) {
        return `<rect x="${x}" y="${top + labelHeight}" width="${size}" height="${size}" fill="#ddd"/>`;
      }
      const href = `data:image/png;base64,${picture.toString("base64")}`;
      return `<image x="${x}" y="${top + labelHeight}" width="${size}" height="${size}" href="${href}"/>`;
    });
    const label = entry.label.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    return `<text x="${left}" y="${top + labelHeight - 3}" font-size="10">${label}</text>${images.join("")}`;
  });
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">` +
    `<rect width="100%" height="100%" fill="white"/>${parts.join("")}</svg>`;
  writeFileSync(path, new Resvg(svg, { font: { loadSystemFonts: true } }).render().asPng());
}
