import type { JsonObject } from "../../src/formats/json.ts";
import type { TrainingKind } from "../../src/training/config/parse.ts";

/** One short training that differs from the others of its question in one thing. */
export interface AblationRun {
  readonly name: string;
  /** Which question of docs/distillation.md it belongs to. */
  readonly question: "rank" | "loss" | "target" | "skip" | "guidance" | "method" | "style";
  /** How its row is called. */
  readonly label: string;
  readonly kind: TrainingKind;
  /** What it changes in the common config. */
  readonly changes: JsonObject;
}

const lcd = (
  name: string,
  question: AblationRun["question"],
  label: string,
  changes: JsonObject = {},
): AblationRun => ({ name, question, label, kind: "lcd", changes });

/** Kept apart from the pictures of the other runs: the style that the base never saw. */
const styleData: JsonObject = { data: "runs/pictures/3d", rank: 32 };

/** The first is what all others are compared with. */
export const ablationRuns: readonly AblationRun[] = [
  lcd("common", "rank", "32"),
  lcd("rank-8", "rank", "8", { rank: 8 }),
  lcd("rank-64", "rank", "64", { rank: 64 }),
  lcd("l2", "loss", "squares (L2)", { loss: "l2" }),
  lcd("no-ema", "target", "the adapter itself, no average kept", { emaDecay: 0, averagedTarget: false }),
  lcd("k-5", "skip", "5 (grid of 200)", { ddimSteps: 200 }),
  lcd("k-40", "skip", "40 (grid of 25)", { ddimSteps: 25 }),
  lcd("omega-one", "guidance", "3.5 alone", { omegaMin: 3.5, omegaMax: 3.5 }),
  lcd("omega-wide", "guidance", "0 to 7", { omegaMin: 0, omegaMax: 7 }),
  lcd("full", "method", "full model, rate 1e-4", { method: "full", guidanceWidth: 64, rate: 1e-4 }),
  {
    name: "lcf-3d",
    question: "style",
    label: "LCF on the style's pictures, begun with the LCM-LoRA",
    kind: "lcf",
    changes: { ...styleData, start: "models/fourstep-64/lora/lcm-lora.safetensors" },
  },
  lcd("rank-16", "rank", "16", { rank: 16 }),
];
