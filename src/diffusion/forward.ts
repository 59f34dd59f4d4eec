import { alphaAt, type NoiseSchedule, sigmaAt } from "./schedule.ts";

/** Coefficients of a linear combination of the clean z_0 and unit noise. */
export interface MixCoefficients {
  readonly clean: number;
  readonly noise: number;
}

/**
 * The forward process q(z_t | z_0) = N(alpha_t z_0, sigma_t^2 I): z_t = alpha_t z_0 + sigma_t noise.
 * @throws UsageError when the timestep is not one of the schedule's
 */
export function forwardCoefficients(schedule: NoiseSchedule, timestep: number): MixCoefficients {
  return { clean: alphaAt(schedule, timestep), noise: sigmaAt(schedule, timestep) };
}
