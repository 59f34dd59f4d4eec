import type { SamplerName } from "../samplers/registry.ts";
import type { Acceleration } from "./acceleration.ts";

/** How to sample. */
export interface DrawingPlan {
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidanceScale: number;
}

/** What people get who ask for nothing else. */
const plans = {
  accelerated: { sampler: "lcm", steps: 4, guidanceScale: 1 },
  full: { sampler: "lcm", steps: 4, guidanceScale: 8.5 },
  plain: { sampler: "ddim", steps: 32, guidanceScale: 4 },
} as const satisfies Readonly<Record<string, DrawingPlan>>;

/** Guidance above this makes a latent consistency model's pictures glaring. */
const highLcmGuidance = 2;

/** Fewer steps than this draw nothing that is recognisable without acceleration. */
const fewPlainSteps = 8;

/**
 * The plan for a model, completed where the wishes say nothing: LCM for accelerated models, what its authors state for a
 * LoRA of another distillation, else DDIM with guidance.
 */
export function planDrawing(wishes: Partial<DrawingPlan>, acceleration: Acceleration): DrawingPlan {
  const usual = usualPlan(wishes.sampler, acceleration);
  return {
    sampler: wishes.sampler ?? usual.sampler,
    steps: wishes.steps ?? usual.steps,
    guidanceScale: wishes.guidanceScale ?? usual.guidanceScale,
  };
}

function usualPlan(sampler: SamplerName | undefined, acceleration: Acceleration): DrawingPlan {
  if (typeof acceleration === "object") return acceleration;
  const lcm = (sampler ?? (acceleration === "none" ? "ddim" : "lcm")) === "lcm";
  if (!lcm) return plans.plain;
  return acceleration === "full" ? plans.full : plans.accelerated;
}

/** What about a plan will disappoint, one sentence each. */
export function planWarnings(
  { sampler, steps, guidanceScale }: DrawingPlan,
  acceleration: Acceleration,
  negativePrompt: string,
): readonly string[] {
  const warnings: string[] = [];
  if (sampler === "lcm" && acceleration === "none") {
    warnings.push("the lcm sampler needs an LCM-LoRA; without one its pictures are blurred.");
  }
  if (sampler !== "lcm" && acceleration === "none" && steps < fewPlainSteps) {
    const taken = steps === 1 ? "1 step of" : `${steps} steps of`;
    warnings.push(`${taken} ${sampler} is too little without an LCM-LoRA; use at least ${fewPlainSteps} steps.`);
  }
  if (sampler === "lcm" && acceleration !== "full" && guidanceScale > highLcmGuidance) {
    warnings.push(
      `a guidance of ${guidanceScale} is high for LCM, which has learnt guidance already; use 1 to ${highLcmGuidance}.`,
    );
  }
  if (negativePrompt !== "") {
    if (acceleration === "full") {
      warnings.push("the negative prompt has no effect: a full latent consistency model takes none.");
    } else if (!(guidanceScale > 1)) {
      warnings.push(
        `the negative prompt has no effect with a guidance of ${guidanceScale}; use a guidance above 1, such as 1.5.`,
      );
    }
  }
  return warnings;
}
