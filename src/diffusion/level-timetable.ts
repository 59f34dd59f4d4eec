import { timestepOfNoiseLevel } from "./karras.ts";
import { type LevelSpacing, spreadLevels } from "./level-spacing.ts";
import { type NoiseSchedule, noiseLevelAt } from "./schedule.ts";
import { keepByStrength, roundHalfEven, solverTimesteps, spacedTimesteps, type TimestepSpacing } from "./timesteps.ts";

/** Where a sampler stands. */
export interface LevelTimetable {
  /** Descending; at each the network is asked. */
  readonly timesteps: readonly number[];
  /** Noise levels sigma / alpha at the timesteps, and last the level where sampling ends: one more than timesteps. */
  readonly levels: readonly number[];
}

/** What a timetable depends on besides the schedule. */
export interface TimetableOptions {
  readonly steps: number;
  /** Image-to-image: the share of the steps to keep, in (0, 1]; at least one is kept. */
  readonly strength: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  readonly levels: LevelSpacing;
  /** Where the last step ends: at no noise, or at the level of timestep 0. */
  readonly finalLevel: "zero" | "lowest";
}

/**
 * Timetable of the samplers that follow Karras et al. (2022): timesteps keep their fractions, and levels are spread
 * between the spaced timesteps' own highest and lowest.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function pointTimetable(schedule: NoiseSchedule, options: TimetableOptions): LevelTimetable {
  const { steps, spacing, stepsOffset, levels: kind } = options;
  const spaced = spacedTimesteps(spacing, schedule.trainSteps, steps, stepsOffset);
  const own = spaced.map((timestep) => noiseLevelAt(schedule, timestep));
  if (kind === "schedule") return kept(schedule, options, spaced, own);
  const levels = spreadLevels(kind, own[0]!, own[steps - 1]!, steps);
  const timesteps = levels.map((level) => timestepOfNoiseLevel(schedule, level));
  return kept(schedule, options, timesteps, levels);
}

/**
 * Timetable of the exponential integrators (DPM-Solver, UniPC): whole timesteps, and levels are spread over the whole
 * schedule.
 * @throws UsageError when steps or strength do not fit the schedule
 */
export function solverTimetable(schedule: NoiseSchedule, options: TimetableOptions): LevelTimetable {
  const { steps, spacing, stepsOffset, levels: kind } = options;
  const spaced = solverTimesteps(spacing, schedule.trainSteps, steps, stepsOffset);
  if (kind === "schedule") {
    const own = spaced.map((timestep) => noiseLevelAt(schedule, timestep));
    return kept(schedule, options, spaced, own);
  }
  const highest = Math.fround(noiseLevelAt(schedule, schedule.trainSteps - 1));
  const levels = spreadLevels(kind, highest, Math.fround(noiseLevelAt(schedule, 0)), steps);
  const whole = kind === "karras" || kind === "lu" ? roundHalfEven : Math.floor;
  const timesteps = levels.map((level) => whole(timestepOfNoiseLevel(schedule, level)));
  return kept(schedule, options, timesteps, levels);
}

function kept(
  schedule: NoiseSchedule,
  { strength, finalLevel }: TimetableOptions,
  timesteps: readonly number[],
  levels: readonly number[],
): LevelTimetable {
  // In float32, so that it equals the lowest of levels that are spread over the whole schedule.
  const final = finalLevel === "zero" ? 0 : Math.fround(noiseLevelAt(schedule, 0));
  return { timesteps: keepByStrength(timesteps, strength), levels: [...keepByStrength(levels, strength), final] };
}
