import { join } from "node:path";
import sharp from "sharp";
import { UsageError } from "../../errors.ts";
import { drawFigureTable, drawVectorFigure } from "../../evaluation/figure-drawing.ts";
import {
  type FigureCell,
  type FigureName,
  type FigurePlan,
  type FigureSubjects,
  figure1,
  figure2Corners,
  figure3,
  guidanceSheet,
  lambdaSheet,
  lorasSheet,
  paperLambdas,
  stepsSheet,
} from "../../evaluation/figures.ts";
import { vectorGeometry } from "../../evaluation/vector-geometry.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { toPixels } from "../../generate/pixels.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { LoraChoice } from "../lora-choice.ts";
import { type OpenedModel, readLoras } from "../open-model.ts";
import { encodePng, makePictureFolder } from "../picture-files.ts";
import { type Drawer, openDrawer } from "./drawer.ts";

/** A model of a figure with the LoRAs that a vector's names stand for; `lcm` is its acceleration vector. */
export interface FigureModel {
  readonly name: string;
  readonly opened: OpenedModel;
  readonly loras: ReadonlyMap<string, LoraChoice>;
}

export interface FigureRequest {
  readonly name: FigureName;
  readonly models: readonly FigureModel[];
  readonly styles: readonly string[];
  /** Names of the acceleration vectors of the sheet `loras`. */
  readonly accelerations: readonly string[];
  readonly prompts: readonly string[];
  readonly guidance: number;
  readonly seed: number;
  /** Side of a picture on the page, in pixels. */
  readonly shown: number;
  readonly out: string;
  readonly signal: AbortSignal;
  readonly onProgress: (what: string, done: number, total: number) => void;
}

/**
 * Draws a figure, and writes it as SVG and PNG.
 * @returns the paths
 * @throws UsageError when a model lacks what the figure needs; DOMException `AbortError` when stopped
 */
export async function drawFigure(runtime: Runtime, request: FigureRequest): Promise<readonly string[]> {
  const { name, models, styles, accelerations, prompts, guidance, shown, out } = request;
  const subjects: FigureSubjects = { models: models.map((model) => model.name), styles, prompts, guidance };
  const planned = (): FigurePlan => {
    if (name === "1") return figure1(subjects);
    if (name === "3") return figure3(needStyles(subjects));
    if (name === "lambda") return lambdaSheet(needStyles(subjects));
    if (name === "guidance") return guidanceSheet(subjects);
    if (name === "steps") return stepsSheet(subjects);
    return lorasSheet(accelerations, subjects);
  };
  await makePictureFolder(out);
  const paths: string[] = [];
  if (name !== "2") {
    const plan = planned();
    const drawn = await drawCells(runtime, request, plan.cells.flat());
    const width = plan.columns.length;
    const cells = plan.cells.map((row, r) => row.map(({ framed }, c) => ({ framed, pictures: drawn[r * width + c]! })));
    const svg = drawFigureTable({ ...plan, cells, shown });
    return writeFigure(out, name === "1" || name === "3" ? `figure-${name}` : name, svg);
  }
  for (const style of needStyles(subjects).styles) {
    const [model] = models;
    const vectors = ["lcm", style].map((word) => model!.loras.get(word)!);
    const [lcm, own] = await readLoras(model!.opened.files, vectors);
    const svg = drawVectorFigure({
      model: model!.name,
      style,
      lambdas: paperLambdas,
      geometry: vectorGeometry(lcm!.adapter.modules, own!.adapter.modules),
      corners: await drawCells(runtime, request, figure2Corners(style, subjects)),
      captions: ["theta: DDIM, 32 steps", "theta + style: DDIM, 32 steps", "theta + LCM: 4 steps", "theta': 4 steps"],
      shown,
    });
    paths.push(...(await writeFigure(out, styles.length === 1 ? "figure-2" : `figure-2-${style}`, svg)));
  }
  return paths;
}

function needStyles(subjects: FigureSubjects): FigureSubjects {
  if (subjects.styles.length > 0) return subjects;
  throw new UsageError(
    "This figure needs a style: give its LoRA with --style FILE, or a model with styles in its lora folder.",
  );
}

/** Pictures of cells as data URIs; cells with one set of LoRAs are drawn one after the other. */
async function drawCells(
  runtime: Runtime,
  { models, prompts, seed, signal, onProgress }: FigureRequest,
  cells: readonly FigureCell[],
): Promise<string[][]> {
  const drawn: string[][] = cells.map(() => []);
  const total = cells.reduce((sum, cell) => sum + cell.prompts.length, 0);
  let done = 0;
  for (const [m, { opened, loras }] of models.entries()) {
    const own = cells.flatMap((cell, place) => (cell.model === m ? [{ cell, place }] : []));
    if (own.length === 0) continue;
    const key = ({ cell }: (typeof own)[number]): string => JSON.stringify(cell.vector);
    const order = [...own].sort((a, b) => key(a).localeCompare(key(b)));
    await using drawer: Drawer = await openDrawer(opened, runtime, 1);
    for (const { cell, place } of order) {
      const { sampler, steps, guidanceScale } = cell;
      const setting = { loras: chosen(cell, loras), sampler, steps, guidanceScale };
      for (const p of cell.prompts) {
        const { pixels } = await drawer.draw(setting, prompts[p]!, seed + p, signal);
        const png = await encodePng(toPixels(pixels), {});
        drawn[place]!.push(`data:image/png;base64,${Buffer.from(png).toString("base64")}`);
        onProgress("drawing", ++done, total);
      }
    }
  }
  return drawn;
}

function chosen({ vector }: FigureCell, loras: ReadonlyMap<string, LoraChoice>): LoraChoice[] {
  return Object.entries(vector).flatMap(([name, weight]) => {
    const lora = loras.get(name);
    if (weight === 0) return [];
    if (lora !== undefined) return [{ ...lora, weight: weight * lora.weight }];
    throw new UsageError(
      `The figure needs the LoRA "${name}", which this model does not have; give it by --lora or --style.`,
    );
  });
}

async function writeFigure(folder: string, name: string, svg: string): Promise<readonly string[]> {
  const paths = [join(folder, `${name}.svg`), join(folder, `${name}.png`)] as const;
  await writeFileAtomically(paths[0], svg);
  const png = await sharp(Buffer.from(svg), { density: 144 })
    .png({ palette: true, colours: 256, effort: 10 })
    .toBuffer();
  await writeFileAtomically(paths[1], png);
  return paths;
}
