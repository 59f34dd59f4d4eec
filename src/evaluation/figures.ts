import { UsageError } from "../errors.ts";
import type { SamplerName } from "../samplers/names.ts";

/** LoRAs with their lambdas: `lcm` is the acceleration vector, others are styles by name. */
export type Vector = Readonly<Record<string, number>>;

/** A picture of a figure, before it is drawn. */
export interface FigureCell {
  /** Which of the models draws it. */
  readonly model: number;
  readonly vector: Vector;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidanceScale: number;
  /** Each prompt's picture begins with its own noise, the same in all cells. */
  readonly prompts: readonly number[];
  readonly framed: boolean;
}

/** A table of pictures, before it is drawn. */
export interface FigurePlan {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly cells: readonly (readonly FigureCell[])[];
}

/** Names of the figures of the paper, and of further sheets. */
export const figureNames = ["1", "2", "3", "lambda", "guidance", "steps", "loras"] as const;

export type FigureName = (typeof figureNames)[number];

/** What users write. @throws UsageError in one sentence when there is no such figure */
export function parseFigureName(word: string): FigureName {
  const name = figureNames.find((one) => one === word);
  if (name !== undefined) return name;
  throw new UsageError(`There is no figure "${word}"; figures are ${figureNames.join(", ")}.`);
}

/** The paper's weights: lambda1 of the style and lambda2 of the acceleration. */
export const paperLambdas = { style: 0.8, lcm: 1 } as const;

const accelerated = { sampler: "lcm", steps: 4, guidanceScale: 1, framed: false } as const;

/** Places of so many prompts. */
const all = (prompts: readonly string[]): number[] => Array.from(prompts.keys());

/** What a figure is drawn of. */
export interface FigureSubjects {
  readonly models: readonly string[];
  readonly styles: readonly string[];
  readonly prompts: readonly string[];
  /** Guidance of solvers. */
  readonly guidance: number;
}

/**
 * Models (rows) by prompts (columns), all with their acceleration vector in 4 steps. A single model stands with each of its
 * styles in it, as a fine-tuned model that the acceleration was not made for.
 * @paper figure 1
 */
export function figure1({ models, styles, prompts }: FigureSubjects): FigurePlan {
  const [only] = models;
  const lines: readonly (readonly [name: string, model: number, vector: Vector])[] =
    models.length === 1
      ? [
          [only!, 0, { lcm: paperLambdas.lcm }],
          ...styles.map((style) => [`+ ${style}`, 0, { lcm: paperLambdas.lcm, [style]: paperLambdas.style }] as const),
        ]
      : models.map((name, model) => [name, model, { lcm: paperLambdas.lcm }] as const);
  return {
    title: "LCM-LoRA in 4 steps",
    columns: prompts,
    rows: lines.map(([name]) => name),
    cells: lines.map(([, model, vector]) => prompts.map((_, p) => ({ ...accelerated, model, vector, prompts: [p] }))),
  };
}

/** Steps of the third figure. */
const figure3Steps = [1, 2, 4, 8, 16, 32];

/**
 * Styles by steps: DPM-Solver++ with guidance on the model with the style, above LCM with lambda1 = 0.8 of the style and
 * lambda2 = 1 of the acceleration.
 * @paper figure 3
 */
export function figure3({ styles, prompts, guidance }: FigureSubjects): FigurePlan {
  const { style: lambda1, lcm: lambda2 } = paperLambdas;
  const rows: string[] = [];
  const cells: FigureCell[][] = [];
  for (const style of styles) {
    rows.push(`${style}, DPM-Solver++`, `${style} + LCM-LoRA`);
    const common = { model: 0, prompts: all(prompts), framed: false };
    cells.push(
      figure3Steps.map((steps) => ({
        ...{ ...common, vector: { [style]: lambda1 } },
        ...{ sampler: "dpm-solver++", steps, guidanceScale: guidance },
      })),
      figure3Steps.map((steps) => ({
        ...{ ...common, vector: { [style]: lambda1, lcm: lambda2 } },
        ...{ sampler: "lcm", steps, guidanceScale: 1, framed: steps === 4 },
      })),
    );
  }
  return {
    title: `lambda1 = ${lambda1}, lambda2 = ${lambda2}; guidance ${guidance} for DPM-Solver++`,
    columns: figure3Steps.map((steps) => (steps === 1 ? "1 step" : `${steps} steps`)),
    rows,
    cells,
  };
}

/** The four corners of the second figure: nothing, the style, the acceleration, and both. */
export function figure2Corners(style: string, { prompts, guidance }: FigureSubjects): readonly FigureCell[] {
  const { style: lambda1, lcm: lambda2 } = paperLambdas;
  const own = { model: 0, prompts: all(prompts), framed: false };
  const plain = { sampler: "ddim", steps: 32, guidanceScale: guidance } as const;
  return [
    { ...own, ...plain, vector: {} },
    { ...own, ...plain, vector: { [style]: lambda1 } },
    { ...own, ...accelerated, vector: { lcm: lambda2 } },
    { ...own, ...accelerated, vector: { [style]: lambda1, lcm: lambda2 } },
  ];
}

/** lambda1 of each style (rows) against lambda2 of the acceleration (columns), in 4 steps; the paper's weights are framed. */
export function lambdaSheet({ styles, prompts }: FigureSubjects): FigurePlan {
  const [lambdas1, lambdas2] = [
    [0, 0.4, 0.8, 1.2],
    [0, 0.5, 0.8, 1, 1.2, 1.5],
  ];
  const lines = styles.flatMap((style) => lambdas1.map((lambda1) => ({ style, lambda1 })));
  return {
    title: "lambda1 of a style by lambda2 of the LCM-LoRA, 4 steps of lcm",
    columns: lambdas2.map((lambda2) => `${lambda2} LCM`),
    rows: lines.map(({ style, lambda1 }) => `${lambda1} ${style}`),
    cells: lines.map(({ style, lambda1 }) =>
      lambdas2.map((lambda2) => ({
        ...{ ...accelerated, model: 0, vector: { [style]: lambda1, lcm: lambda2 }, prompts: all(prompts) },
        framed: lambda1 === paperLambdas.style && lambda2 === paperLambdas.lcm,
      })),
    ),
  };
}

/** The accelerated model and the plain one by guidance. */
export function guidanceSheet({ prompts }: FigureSubjects): FigurePlan {
  const scales = [1, 1.5, 2, 3, 5, 8];
  const line = (sampler: SamplerName, steps: number, vector: Vector): FigureCell[] =>
    scales.map((guidanceScale) => ({
      ...{ model: 0, vector, sampler, steps, guidanceScale, prompts: all(prompts) },
      framed: false,
    }));
  return {
    title: "Guidance scale; 1 is none",
    columns: scales.map(String),
    rows: ["LCM-LoRA, 4 steps", "DDIM, 32 steps"],
    cells: [line("lcm", 4, { lcm: 1 }), line("ddim", 32, {})],
  };
}

/** Samplers by steps. */
export function stepsSheet({ prompts, guidance }: FigureSubjects): FigurePlan {
  const lines: readonly (readonly [string, SamplerName])[] = [
    ["DDIM", "ddim"],
    ["DPM-Solver", "dpm-solver"],
    ["DPM-Solver++", "dpm-solver++"],
    ["LCM-LoRA", "lcm"],
  ];
  return {
    title: `Samplers by steps; guidance ${guidance} for solvers`,
    columns: figure3Steps.map((steps) => (steps === 1 ? "1 step" : `${steps} steps`)),
    rows: lines.map(([name]) => name),
    cells: lines.map(([, sampler]) =>
      figure3Steps.map((steps) => ({
        ...{ model: 0, vector: sampler === "lcm" ? { lcm: 1 } : {}, sampler, steps, prompts: all(prompts) },
        ...{ guidanceScale: sampler === "lcm" ? 1 : guidance, framed: false },
      })),
    ),
  };
}

/** Acceleration vectors, such as of several ranks or after several hours of training, by prompts in 4 steps. */
export function lorasSheet(loras: readonly string[], { prompts }: FigureSubjects): FigurePlan {
  return {
    title: "LCM-LoRAs in 4 steps",
    columns: prompts,
    rows: loras,
    cells: loras.map((lora) =>
      prompts.map((_, p) => ({ ...accelerated, model: 0, vector: { [lora]: 1 }, prompts: [p] })),
    ),
  };
}
