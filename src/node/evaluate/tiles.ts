import sharp from "sharp";

/** Pixels between tiles. */
const gap = 4;

/** Lines of picture files as one PNG, each picture in a square of so many pixels, on white. */
export async function tilesPng(lines: readonly (readonly Uint8Array[])[], shown: number): Promise<Uint8Array> {
  const tiles: { input: Buffer; left: number; top: number }[] = [];
  for (const [row, line] of lines.entries()) {
    for (const [column, picture] of line.entries()) {
      const input = await sharp(picture)
        .flatten({ background: "white" })
        .resize(shown, shown, { kernel: "lanczos3", fit: "contain", background: "white" })
        .png()
        .toBuffer();
      tiles.push({ input, left: column * (shown + gap), top: row * (shown + gap) });
    }
  }
  const columns = Math.max(...lines.map(({ length }) => length));
  const canvas = {
    width: columns * (shown + gap) - gap,
    height: lines.length * (shown + gap) - gap,
    channels: 3 as const,
    background: "#dddddd",
  };
  return sharp({ create: canvas }).composite(tiles).png().toBuffer();
}
