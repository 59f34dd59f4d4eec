import type { AblationRun } from "./ablation-runs.ts";

/** What was measured of one run. */
export interface AblationResult {
  readonly name: string;
  /** Steps trained; 0 for what needs no training. */
  readonly steps: number;
  /** Mean distance from the teacher's pictures, where the run measured itself. */
  readonly distance: number | null;
  /** Step whose weights were kept. */
  readonly kept: number;
  readonly frechet: number;
  /** LPIPS from the real picture of the same caption. */
  readonly lpips: number | null;
  readonly features: string;
  readonly images: number;
}

const shown = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? "–" : value.toFixed(digits);

function table(first: string, rows: readonly (readonly [string, AblationResult])[]): string {
  const lines = rows.map(
    ([label, { distance, kept, frechet, lpips }]) =>
      `| ${label} | ${shown(distance, 4)} | ${kept === 0 ? "–" : kept} | ${shown(frechet, 0)} | ${shown(lpips, 3)} |`,
  );
  return [
    `| ${first} | distance from the teacher | step kept | Frechet distance | LPIPS to real |`,
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** Puts what was measured between the marks of a page: `<!-- table NAME -->` and `<!-- end -->`. */
export function distillationTables(
  text: string,
  results: readonly AblationResult[],
  runs: readonly AblationRun[],
): string {
  const of = (name: string): AblationResult | undefined => results.find((result) => result.name === name);
  return text.replaceAll(
    /(<!-- table (\w+) (.*?) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, open, question, first, close) => {
      const rows = rowsOf(question, of, runs);
      return rows.length === 0 ? whole : `${open}${table(first, rows)}\n${close}`;
    },
  );
}

const withoutTraining: Readonly<Record<string, readonly (readonly [name: string, label: string])[]>> = {
  method: [
    ["shipped", "the shipped LCM-LoRA (400 steps of 32 pictures)"],
    ["base-4", "no distillation: DDIM in 4 steps with guidance 4.5, 8 calls"],
  ],
  style: [
    ["vectors-3d", "no training: LCM-LoRA and style LoRA (0.8), 4 calls"],
    ["style-3d-32", "for comparison: style LoRA (0.8), DDIM 32 with guidance 4, 64 calls"],
    ["no-style-3d", "for comparison: LCM-LoRA alone, 4 calls"],
  ],
};

function rowsOf(
  question: string,
  of: (name: string) => AblationResult | undefined,
  runs: readonly AblationRun[],
): (readonly [string, AblationResult])[] {
  const common: Readonly<Record<string, string>> = {
    loss: "pseudo-Huber, c = 0.001",
    target: "the adapter's average (0.95)",
    skip: "20 (grid of 50)",
    guidance: "2 to 5",
    method: "LCM-LoRA, rank 32, rate 3e-4",
  };
  const named: (readonly [string, string])[] = [
    ...(common[question] === undefined ? [] : [["common", common[question]] as const]),
    ...runs.filter((run) => run.question === question).map(({ name, label }) => [name, label] as const),
    ...(withoutTraining[question] ?? []),
  ];
  const rows = named.flatMap(([name, label]) => {
    const result = of(name);
    return result === undefined ? [] : [[label, result] as const];
  });
  return question === "rank" ? rows.sort(([a], [b]) => Number(a) - Number(b)) : rows;
}
