import type { SdeCurvature } from "../diffusion/dpm-step.ts";
import { type LevelSpacing, levelSpacings } from "../diffusion/level-spacing.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import {
  type BetaDefaults,
  configChoice,
  configFlag,
  configNumber,
  predictionFromConfig,
  type SchedulerConfig,
  scheduleFromConfig,
} from "../diffusion/scheduler-config.ts";
import type { TimestepSpacing } from "../diffusion/timesteps.ts";
import { UsageError } from "../errors.ts";

/** What users may choose besides a sampler; a sampler takes no heed of what it does not know. */
export interface SamplerChoices {
  /** Order of DPM-Solver and UniPC. */
  readonly order?: 1 | 2 | 3;
  /** How noise levels are spread. */
  readonly levels?: LevelSpacing;
  /** Where timesteps lie. */
  readonly spacing?: TimestepSpacing;
  /** How the order's terms are weighed: the first two for DPM-Solver, the others for UniPC. */
  readonly solver?: "midpoint" | "heun" | "bh1" | "bh2";
  /** Share of fresh noise, from 0 to 1, of DDIM and TCD. */
  readonly eta?: number;
  /** As whom DPM-Solver++'s SDE takes third-order steps; diffusers unless told. */
  readonly sdeCurvature?: SdeCurvature;
}

/** What a sampler is made from when it is chosen by name. */
export interface SamplerRequest {
  /** The model's `scheduler_config.json`; what it lacks is what diffusers' scheduler of that name assumes. */
  readonly config: SchedulerConfig;
  readonly steps: number;
  /** Image-to-image: the share of the noise to start from, in (0, 1]; 1 is from pure noise. */
  readonly strength: number;
  /** What goes before the configuration. */
  readonly choices?: SamplerChoices;
}

/** What every sampler is made from. */
export interface SamplerBasis {
  readonly schedule: NoiseSchedule;
  readonly prediction: PredictionType;
  /** The configuration with the choices in it. */
  readonly config: SchedulerConfig;
  /** What every sampler's options begin with. */
  readonly extent: { readonly steps: number; readonly strength: number };
}

/** What all samplers read from a request alike. @throws UsageError for a wrong field */
export function readRequest(request: SamplerRequest, betas: BetaDefaults): SamplerBasis {
  const config = chosenConfig(request.config, request.choices ?? {});
  return {
    schedule: scheduleFromConfig(config, betas),
    prediction: predictionFromConfig(config),
    config,
    extent: { steps: request.steps, strength: request.strength },
  };
}

const levelFields = {
  karras: "use_karras_sigmas",
  exponential: "use_exponential_sigmas",
  beta: "use_beta_sigmas",
  lu: "use_lu_lambdas",
} as const satisfies Readonly<Record<Exclude<LevelSpacing, "schedule">, string>>;

/** Choices, written as the fields that a configuration has for them. */
function chosenConfig(config: SchedulerConfig, choices: SamplerChoices): SchedulerConfig {
  const { order, levels, spacing, solver, eta } = choices;
  return {
    ...config,
    ...(order === undefined ? {} : { solver_order: order }),
    ...(spacing === undefined ? {} : { timestep_spacing: spacing }),
    ...(solver === undefined ? {} : { solver_type: solver }),
    ...(eta === undefined ? {} : { eta }),
    ...(levels === undefined
      ? {}
      : Object.fromEntries(Object.entries(levelFields).map(([kind, field]) => [field, kind === levels]))),
  };
}

/** Fields timestep_spacing and steps_offset. @throws UsageError when one is wrong */
export function spacingFromConfig(
  config: SchedulerConfig,
  absent: TimestepSpacing,
): { readonly spacing: TimestepSpacing; readonly stepsOffset: number } {
  return {
    spacing: configChoice(config, "timestep_spacing", ["leading", "trailing", "linspace"], absent),
    stepsOffset: configNumber(config, "steps_offset", 0),
  };
}

/** Fields use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas and use_lu_lambdas. @throws UsageError when two are set */
export function levelsFromConfig(config: SchedulerConfig): LevelSpacing {
  const set = levelSpacings.filter((kind) => kind !== "schedule" && configFlag(config, levelFields[kind], false));
  if (set.length > 1) {
    throw new UsageError(
      `The scheduler configuration asks for ${set.join(" and ")} noise levels at once; set one of them.`,
    );
  }
  return set[0] ?? "schedule";
}

/** Field final_sigmas_type. @throws UsageError when it is wrong */
export function finalLevelFromConfig(config: SchedulerConfig): "zero" | "lowest" {
  return configChoice(config, "final_sigmas_type", ["zero", "sigma_min"], "zero") === "zero" ? "zero" : "lowest";
}

/** Field set_alpha_to_one: the alphaBar where the last step ends. @throws UsageError when it is wrong */
export function finalAlphaBarFromConfig(config: SchedulerConfig, absent: boolean): "one" | "first" {
  return configFlag(config, "set_alpha_to_one", absent) ? "one" : "first";
}

/** The order of a solver, field solver_order, 2 where absent. @throws UsageError when it is not 1, 2 or 3 */
export function orderFromConfig(config: SchedulerConfig): 1 | 2 | 3 {
  const order = configNumber(config, "solver_order", 2);
  if (order === 1 || order === 2 || order === 3) return order;
  throw new UsageError(`The scheduler configuration's solver_order is ${order}, but it must be 1, 2 or 3.`);
}
