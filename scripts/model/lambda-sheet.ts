/**
 * Draws the sheets of docs/vectors.md with the shipped model, all in one warm pair of networks:
 *
 * - docs/lambda-3d.png and docs/lambda-ink.png: lambda1 (style, rows) against lambda2 (LCM, columns), 4 steps of lcm without
 *   guidance; the paper's 0.8 and 1.0 are framed;
 * - docs/styles-added.png: styles added, negated and mixed, beside an LCM-LoRA of 1.0.
 *
 * Prints, for each setting, how colourful and how finely drawn the pictures are on average.
 *
 *     node --import tsx scripts/model/lambda-sheet.ts [--model FOLDER] [--seed N]
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Resvg } from "@resvg/resvg-js";
import sharp from "sharp";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { type Pixels, toPixels } from "../../src/generate/pixels.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { loraSwap } from "../../src/node/lora-swap.ts";
import { adaptedModel, openModel } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";

const { values } = parseArgs({ options: { model: { type: "string" }, seed: { type: "string", default: "0" } } });
const folder = values.model ?? shippedModelFolder();
const runtime = onnxRuntime();
const opened = await openModel(folder);
const model = await adaptedModel(opened, []);
const networks = createNetworks(runtime, model);
const loras = loraSwap(opened, networks);
const sampler = createSampler("lcm", { config: opened.files.scheduler, steps: 4, strength: 1 });

/** LoRAs of the model's folder, by name, with their lambdas. */
type Vector = Readonly<Record<string, number>>;

async function draw(vector: Vector, prompts: readonly string[]): Promise<Pixels[]> {
  await loras.use(
    Object.entries(vector).map(([name, weight]) => ({ path: join(folder, "lora", `${name}.safetensors`), weight })),
  );
  const pictures: Pixels[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const conditioning = await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale: 1 });
    const request = { conditioning, sampler, size: naturalSize(model), seed: Number(values.seed) + i, count: 1 };
    for await (const event of textToImage(networks, model, request))
      if (event.kind === "picture") pictures.push(toPixels(event.pixels));
  }
  return pictures;
}

/** The mean of the largest difference between a pixel's channels, of 255. */
function colour({ data }: Pixels): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) {
    const pixel = data.subarray(i, i + 3);
    sum += Math.max(...pixel) - Math.min(...pixel);
  }
  return sum / (data.length / 3);
}

/** The mean difference of neighbours in a row, of 255: how much of the picture is edges. */
function edges({ data, width }: Pixels): number {
  let sum = 0;
  for (let i = 3; i < data.length; i++) if (i % (3 * width) >= 3) sum += Math.abs(data[i]! - data[i - 3]!);
  return sum / data.length;
}

const mean = (pictures: readonly Pixels[], of: (one: Pixels) => number): string =>
  (pictures.reduce((sum, one) => sum + of(one), 0) / pictures.length).toFixed(1).padStart(5);

interface Tile {
  readonly pictures: readonly Pixels[];
  readonly framed: boolean;
}

/** A table of tiles with headings, as a PNG. */
async function writeSheet(
  path: string,
  {
    title,
    columns,
    rows,
  }: { readonly title: string; readonly columns: readonly string[]; readonly rows: readonly string[] },
  tiles: readonly (readonly Tile[])[],
  shown: number,
): Promise<void> {
  const [left, top, gap] = [108, 34, 4];
  const each = tiles[0]![0]!.pictures.length;
  const [tileWidth, tileHeight] = [each * shown + gap, shown + gap];
  const text = (x: number, y: number, words: string, more = ""): string =>
    `<text x="${x}" y="${y}" font-size="12" ${more}>${words.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
  const parts = [text(4, 14, title, 'font-weight="bold"')];
  for (const [c, words] of columns.entries())
    parts.push(text(left + c * tileWidth + (tileWidth - gap) / 2, 29, words, 'text-anchor="middle"'));
  for (const [r, row] of tiles.entries()) {
    const y = top + r * tileHeight;
    parts.push(text(left - 6, y + shown / 2 + 4, rows[r]!, 'text-anchor="end"'));
    for (const [c, { pictures, framed }] of row.entries()) {
      const x = left + c * tileWidth;
      for (const [i, { data, width, height }] of pictures.entries()) {
        const png = await sharp(data, { raw: { width, height, channels: 3 } })
          .resize(shown, shown, { kernel: "lanczos3" })
          .png()
          .toBuffer();
        const href = `data:image/png;base64,${png.toString("base64")}`;
        parts.push(`<image x="${x + i * shown}" y="${y}" width="${shown}" height="${shown}" href="${href}"/>`);
      }
      if (framed)
        parts.push(
          `<rect x="${x - 1}" y="${y - 1}" width="${tileWidth - gap + 2}" height="${shown + 2}" fill="none" stroke="#d00000" stroke-width="3"/>`,
        );
    }
  }
  const [width, height] = [left + columns.length * tileWidth + 2, top + rows.length * tileHeight + 2];
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">` +
    `<rect width="100%" height="100%" fill="white"/>${parts.join("")}</svg>`;
  const drawn = new Resvg(svg, { font: { loadSystemFonts: true } }).render().asPng();
  await writeFile(path, await sharp(drawn).png({ palette: true, colours: 256, effort: 10 }).toBuffer());
}

const subjects = ["a red apple", "a fox"];
const more = ["a castle", "a guitar", "a mushroom", "a rocket", "an owl", "a pear"];
const styleLambdas = [0, 0.4, 0.8, 1.2, 1.6];
const lcmLambdas = [0, 0.5, 0.8, 1, 1.2, 1.5];

async function lambdaSheet(style: string): Promise<void> {
  const tiles: Tile[][] = [];
  for (const lambda1 of styleLambdas) {
    const row: Tile[] = [];
    for (const lambda2 of lcmLambdas) {
      const pictures = await draw({ "lcm-lora": lambda2, [`style-${style}`]: lambda1 }, [...subjects, ...more]);
      process.stdout.write(
        `${style} lambda1 ${lambda1.toFixed(1)} lambda2 ${lambda2.toFixed(1)}: colour ${mean(pictures, colour)}, edges ${mean(pictures, edges)}\n`,
      );
      row.push({ pictures: pictures.slice(0, subjects.length), framed: lambda1 === 0.8 && lambda2 === 1 });
    }
    tiles.push(row);
  }
  const heads = {
    title: `theta + lambda1 * tau_${style} + lambda2 * tau_LCM`,
    columns: lcmLambdas.map((lambda) => `lambda2 = ${lambda}`),
    rows: styleLambdas.map((lambda) => `lambda1 = ${lambda}`),
  };
  await writeSheet(`docs/lambda-${style}.png`, heads, tiles, 72);
}

const sums: readonly (readonly [string, Vector])[] = [
  ["-1.2 ink", { "style-ink": -1.2 }],
  ["-0.6 ink", { "style-ink": -0.6 }],
  ["neither", {}],
  ["+0.8 ink", { "style-ink": 0.8 }],
  ["+0.8 3d", { "style-3d": 0.8 }],
  ["-0.6 3d", { "style-3d": -0.6 }],
  ["-1.2 3d", { "style-3d": -1.2 }],
  ["+0.5 3d +0.5 ink", { "style-3d": 0.5, "style-ink": 0.5 }],
  ["+1 3d -0.6 ink", { "style-3d": 1, "style-ink": -0.6 }],
];

async function sumSheet(): Promise<void> {
  const prompts = ["a red apple", "a fox", "a castle", "a guitar, flat style", "an owl, cartoon style", "a pear"];
  const columns: Pixels[][] = [];
  for (const [name, vector] of sums) {
    const pictures = await draw({ "lcm-lora": 1, ...vector }, prompts);
    process.stdout.write(`${name}: colour ${mean(pictures, colour)}, edges ${mean(pictures, edges)}\n`);
    columns.push(pictures);
  }
  const tiles = prompts.map((_, r) => columns.map((pictures) => ({ pictures: [pictures[r]!], framed: false })));
  const rows = prompts.map((prompt) => prompt.replace(/^an? /, "").replace(/, (\w+) style$/, " ($1)"));
  const heads = { title: "theta + tau_LCM + ...", columns: sums.map(([name]) => name), rows };
  await writeSheet("docs/styles-added.png", heads, tiles, 104);
}

try {
  await lambdaSheet("3d");
  await lambdaSheet("ink");
  await sumSheet();
} finally {
  await runtime.dispose();
  await opened.folder.close();
}
