import sharp from "sharp";
import type { Pixels } from "../generate/pixels.ts";

/** A way in which a terminal shows a picture. */
export type TerminalPictures =
  | { readonly kind: "none" }
  /** Coloured half blocks: 24-bit colours, or the 256 that older terminals have. */
  | { readonly kind: "blocks"; readonly colours: "true" | "256"; readonly columns: number }
  /** Kitty's graphics protocol. */
  | { readonly kind: "kitty" }
  /** iTerm2's inline images. */
  | { readonly kind: "iterm" };

/** What is known of a terminal. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The best way that a terminal has, as its environment tells. */
export function terminalPictures({ isTTY, columns }: Terminal, env: Environment): TerminalPictures {
  const { TERM: term = "", TERM_PROGRAM: program = "", COLORTERM: depth = "" } = env;
  if (isTTY !== true || term === "dumb" || (env["NO_COLOR"] ?? "") !== "") return { kind: "none" };
  // A multiplexer swallows what it does not know, whatever the terminal around it can do.
  const multiplexed = env["TMUX"] !== undefined || /^(screen|tmux)/.test(term);
  if (!multiplexed) {
    if (term === "xterm-kitty" || env["KITTY_WINDOW_ID"] !== undefined || /^ghostty$/i.test(program)) {
      return { kind: "kitty" };
    }
    if (program === "iTerm.app" || program === "WezTerm") return { kind: "iterm" };
  }
  const width = columns ?? 80;
  if (/truecolor|24bit/i.test(depth)) return { kind: "blocks", colours: "true", columns: width };
  return /256color/.test(term) ? { kind: "blocks", colours: "256", columns: width } : { kind: "none" };
}

/** No wider than this, so that a picture fits beside its prompt. */
const mostColumns = 64;

/** Kitty takes its data in pieces of at most this many letters. */
const kittyPiece = 4096;

/** What shows a picture when it is written to the terminal; empty where it cannot. */
export async function showPicture(pixels: Pixels, png: Uint8Array, pictures: TerminalPictures): Promise<string> {
  switch (pictures.kind) {
    case "none":
      return "";
    case "kitty":
      return kittyImage(Buffer.from(png).toString("base64"));
    case "iterm":
      return `\u001b]1337;File=inline=1;size=${png.length}:${Buffer.from(png).toString("base64")}\u0007\n`;
    case "blocks": {
      const columns = Math.min(mostColumns, pictures.columns, pixels.width);
      return halfBlocks(await resized(pixels, columns), pictures.colours);
    }
  }
}

function kittyImage(data: string): string {
  let text = "";
  for (let at = 0; at < data.length; at += kittyPiece) {
    const last = at + kittyPiece >= data.length;
    const head = at === 0 ? "f=100,a=T," : "";
    text += `\u001b_G${head}m=${last ? 0 : 1};${data.slice(at, at + kittyPiece)}\u001b\\`;
  }
  return `${text}\n`;
}

/** The picture in `columns` pixels across and an even number down. */
async function resized({ width, height, data }: Pixels, columns: number): Promise<Pixels> {
  const rows = 2 * Math.max(1, Math.round((columns * height) / width / 2));
  const small = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(columns, rows, { fit: "fill" })
    .raw()
    .toBuffer();
  return { width: columns, height: rows, data: small };
}

/** Two pixels a letter: the upper as its colour, the lower as its background. */
function halfBlocks({ width, height, data }: Pixels, colours: "true" | "256"): string {
  const colour = (x: number, y: number): string => {
    const [r, g, b] = data.subarray(3 * (y * width + x)) as unknown as [number, number, number];
    return colours === "true" ? `2;${r};${g};${b}` : `5;${paletteIndex(r, g, b)}`;
  };
  let text = "";
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x++) text += `\u001b[38;${colour(x, y)};48;${colour(x, y + 1)}m▀`;
    text += "\u001b[0m\n";
  }
  return text;
}

/** The nearest of the 216 colours of the usual palette's cube, numbered from 16. */
function paletteIndex(r: number, g: number, b: number): number {
  const level = (x: number): number => (x < 48 ? 0 : x < 115 ? 1 : Math.min(5, Math.floor((x - 35) / 40)));
  return 16 + 36 * level(r) + 6 * level(g) + level(b);
}
