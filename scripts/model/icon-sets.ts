import { existsSync, readFileSync } from "node:fs";
import sharp, { type Sharp } from "sharp";
import { FormatError, UsageError } from "../../src/errors.ts";

/** A drawing style: the style word of its captions and the npm package whose pictures show it. */
export interface IconStyle {
  readonly style: "cartoon" | "flat" | "retro" | "3d" | "ink";
  readonly package: string;
  readonly title: string;
  readonly license: string;
  /** `base` styles train the model; each other one makes a set of its own for a style vector. */
  readonly set: "base" | "3d" | "ink";
}

/** The five styles: three for the base, two that the base never sees. */
export const iconStyles: readonly IconStyle[] = [
  { style: "cartoon", package: "@iconify-json/noto", title: "Noto Emoji", license: "Apache-2.0", set: "base" },
  {
    style: "flat",
    package: "@iconify-json/fluent-emoji-flat",
    title: "Fluent Emoji Flat",
    license: "MIT",
    set: "base",
  },
  { style: "retro", package: "@iconify-json/noto-v1", title: "Noto Emoji v1", license: "Apache-2.0", set: "base" },
  { style: "3d", package: "@lobehub/fluent-emoji-3d", title: "Fluent Emoji 3D", license: "MIT", set: "3d" },
  {
    style: "ink",
    package: "@iconify-json/fluent-emoji-high-contrast",
    title: "Fluent Emoji High Contrast",
    license: "MIT",
    set: "ink",
  },
];

interface IconData {
  readonly body: string;
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}

interface IconFile {
  readonly icons: Readonly<Record<string, IconData>>;
  readonly aliases?: Readonly<Record<string, { readonly parent: string }>>;
  readonly width?: number;
  readonly height?: number;
}

/** Draws the icons of one package: `draw(name)` gives an RGBA picture of about `drawnSide` pixels. */
export interface IconSource {
  readonly version: string;
  has(name: string): boolean;
  draw(name: string): Promise<Sharp>;
}

/** Pixels a side at which vector icons are drawn before they are reduced. */
const drawnSide = 512;

function readJson(path: URL): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

function svgSource(file: IconFile, version: string, packageName: string): IconSource {
  const find = (name: string): IconData | undefined => {
    const parent = file.aliases?.[name]?.parent;
    return file.icons[name] ?? (parent === undefined ? undefined : file.icons[parent]);
  };
  return {
    version,
    has: (name) => find(name) !== undefined,
    draw: async (name) => {
      const icon = find(name);
      if (icon === undefined) throw new FormatError(`${packageName} has no icon "${name}"`);
      const width = icon.width ?? file.width ?? 16;
      const height = icon.height ?? file.height ?? 16;
      const box = `${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}`;
      const svg =
        `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${box}" ` +
        `width="${drawnSide}" height="${drawnSide}" color="black">${icon.body}</svg>`;
      return sharp(Buffer.from(svg));
    },
  };
}

function packageFolder(style: IconStyle): URL {
  return new URL(`../../node_modules/${style.package}/`, import.meta.url);
}

/** Whether the package of a style is installed. */
export function isInstalled(style: IconStyle): boolean {
  return existsSync(packageFolder(style));
}

/**
 * Opens the installed package of a style.
 * @throws UsageError when the package is not installed.
 */
export function openIconStyle(style: IconStyle): IconSource {
  const folder = packageFolder(style);
  if (!isInstalled(style)) {
    throw new UsageError(`the package ${style.package} is not installed; add it with: npm install -D ${style.package}`);
  }
  const { version } = readJson(new URL("package.json", folder)) as { version: string };
  if (style.package.startsWith("@iconify-json/")) {
    return svgSource(readJson(new URL("icons.json", folder)) as IconFile, version, style.package);
  }
  return {
    version,
    has: (name) => existsSync(new URL(`assets/${name}`, folder)),
    draw: async (name) => sharp(readFileSync(new URL(`assets/${name}`, folder))),
  };
}

/**
 * Trims the transparent border, fits the subject into a square with a margin of 1/32 a side, and lays it on white.
 * @param size side of the result in pixels
 * @returns an RGB PNG of `size` x `size`
 * @throws FormatError when the picture is empty.
 */
export async function placeOnWhite(picture: Sharp, size: number): Promise<Buffer> {
  const { data, info } = await picture.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  let [left, top, right, bottom] = [info.width, info.height, -1, -1];
  for (let y = 0; y < info.height; y++) {
    for (let x = 0; x < info.width; x++) {
      if ((data[(y * info.width + x) * 4 + 3] ?? 0) < 24) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  if (right < left || bottom < top) throw new FormatError("the picture is empty: every pixel is transparent");
  const width = right - left + 1;
  const height = bottom - top + 1;
  const margin = Math.round(Math.max(width, height) / 30);
  const side = Math.max(width, height) + 2 * margin;
  const offset = { left: Math.floor((side - width) / 2), top: Math.floor((side - height) / 2) };
  const square = Buffer.alloc(side * side * 3, 255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((top + y) * info.width + left + x) * 4;
      const to = ((offset.top + y) * side + offset.left + x) * 3;
      const alpha = (data[from + 3] ?? 0) / 255;
      for (let c = 0; c < 3; c++) square[to + c] = Math.round(255 + alpha * ((data[from + c] ?? 0) - 255));
    }
  }
  return sharp(square, { raw: { width: side, height: side, channels: 3 } })
    .resize(size, size, { kernel: "lanczos3" })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
