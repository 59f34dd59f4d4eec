import { UsageError } from "../errors.ts";
import { type SamplerName, samplerNamed, samplerTitles } from "../samplers/names.ts";
import type { SamplerChoices } from "../samplers/request.ts";

/** How one row of a table draws its pictures. */
export interface RowPlan {
  readonly sampler: SamplerName;
  readonly choices: SamplerChoices;
  readonly steps: number;
  /** 1 is off. */
  readonly guidanceScale: number;
  /** Whether the acceleration vector is added to the model. */
  readonly accelerated: boolean;
}

/** Guidance of rows that say none. */
export interface UsualGuidance {
  readonly plain: number;
  readonly accelerated: number;
}

/** Samplers that an acceleration vector was made for. */
const acceleratedSamplers: ReadonlySet<SamplerName> = new Set(["lcm", "tcd"]);

/** Samplers as the paper calls them, where image programs call them otherwise. */
const paperTitles: Readonly<Partial<Record<SamplerName, string>>> = {
  lcm: "LCM-LoRA",
  "dpm-solver++": "DPM-Solver++",
};

/** What a row is called, without its steps. */
export function rowSampler({ sampler }: Pick<RowPlan, "sampler">): string {
  return paperTitles[sampler] ?? samplerTitles[sampler];
}

/** What a row is called. */
export function rowTitle(plan: RowPlan): string {
  return `${rowSampler(plan)} ${plan.steps}`;
}

/** A name for files, one for each way to draw. */
export function rowKey({ sampler, choices, steps, guidanceScale }: RowPlan): string {
  const further = Object.entries(choices).map(([name, value]) => `-${name}-${String(value)}`);
  return `${sampler}${further.join("")}-${steps}-g${guidanceScale}`;
}

/** The rows of the paper's comparison: three solvers with guidance, and the LCM-LoRA in 4 steps, then in 1, 2 and 8. */
export function table2Rows(guidance: UsualGuidance): readonly RowPlan[] {
  return ["ddim:32", "dpm-solver:16", "dpm-solver++:8", "lcm:4", "lcm:1", "lcm:2", "lcm:8"].map((text) =>
    parseRow(text, guidance),
  );
}

const mostSteps = 1000;

/**
 * Reads `SAMPLER:STEPS[:GUIDANCE]`, e.g. `dpm-solver++:8:4`.
 * @throws UsageError in one sentence when it is something else
 */
export function parseRow(text: string, guidance: UsualGuidance): RowPlan {
  const [word = "", count = "", scale] = text.split(":");
  const named = samplerNamed(word);
  const steps = Number(count);
  const scales = scale === undefined ? undefined : Number(scale);
  const whole = count.trim() !== "" && Number.isInteger(steps) && steps >= 1 && steps <= mostSteps;
  const fits = scales === undefined || (scale?.trim() !== "" && scales >= 0 && scales <= 100);
  if (named === undefined || !whole || !fits || text.split(":").length > 3) {
    throw new UsageError(
      `A row is SAMPLER:STEPS or SAMPLER:STEPS:GUIDANCE, such as dpm-solver++:8:4, but "${text}" was given.`,
    );
  }
  const accelerated = acceleratedSamplers.has(named.name);
  const usual = accelerated ? guidance.accelerated : guidance.plain;
  return { sampler: named.name, choices: named.choices, steps, guidanceScale: scales ?? usual, accelerated };
}

/**
 * The row that others are compared with: the accelerated one of 4 steps, else the first accelerated one, else the first.
 * @returns its place
 */
export function referenceRow(rows: readonly RowPlan[]): number {
  const four = rows.findIndex(({ accelerated, steps }) => accelerated && steps === 4);
  const any = rows.findIndex(({ accelerated }) => accelerated);
  return four >= 0 ? four : Math.max(0, any);
}

/** The row that counts as the teacher's fine solution: of those that are not accelerated, that of most steps. */
export function teacherRow(rows: readonly RowPlan[]): number | undefined {
  let best: number | undefined;
  rows.forEach((row, i) => {
    if (!row.accelerated && (best === undefined || row.steps > rows[best]!.steps)) best = i;
  });
  return best;
}
