import { boundaryDefaults } from "../../diffusion/consistency.ts";
import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { UsageError } from "../../errors.ts";
import type { ConsistencyTrainingConfig } from "../../training/config/consistency.ts";
import type { DistillationOptions } from "../../training/lcd.ts";
import { noiseOf } from "./open-base.ts";

/**
 * What the batches of consistency training are drawn by, but for the seed.
 * @param guidanceWidth of the student's guidance embedding, where it has one
 * @throws UsageError when the solver's grid does not divide the schedule
 */
export function skipOptions(
  config: ConsistencyTrainingConfig,
  scheduler: SchedulerConfig,
  guidanceWidth: number | undefined,
): Omit<DistillationOptions, "seed"> {
  const { ddimSteps, omegaMin, omegaMax, timestepScaling } = config;
  const noise = noiseOf(scheduler);
  const { trainSteps } = noise.schedule;
  if (ddimSteps > trainSteps) {
    throw new UsageError(`"ddimSteps" is ${ddimSteps}, but the base has only ${trainSteps} noise levels`);
  }
  const boundary = { ...boundaryDefaults, timestepScaling };
  return { ...noise, gridSteps: ddimSteps, omegaMin, omegaMax, guidanceWidth, boundary };
}
