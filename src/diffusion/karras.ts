import { type NoiseSchedule, noiseLevelAt } from "./schedule.ts";

/**
 * Noise levels evenly spaced in their seventh root, from the highest to the lowest (Karras et al. 2022, equation 5).
 * @param count how many, at least 1
 */
export function karrasLevels(highest: number, lowest: number, count: number): readonly number[] {
  const rho = 7;
  const from = highest ** (1 / rho);
  const to = lowest ** (1 / rho);
  return Array.from({ length: count }, (_, i) => (from + (count === 1 ? 0 : i / (count - 1)) * (to - from)) ** rho);
}

/**
 * The fractional timestep of a noise level: linear in the logarithm of the level between whole timesteps.
 *
 * The logarithms are float32 as diffusers has them, which decides what is rounded down where a level is a timestep's own.
 */
export function timestepOfNoiseLevel(schedule: NoiseSchedule, level: number): number {
  const logLevel = (t: number): number => Math.fround(Math.log(Math.fround(noiseLevelAt(schedule, t))));
  const wanted = Math.log(Math.max(level, 1e-10));
  let low = 0;
  let high = schedule.trainSteps - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (logLevel(middle) <= wanted) low = middle;
    else high = middle;
  }
  const share = (wanted - logLevel(low)) / (logLevel(high) - logLevel(low));
  return low + Math.min(1, Math.max(0, share));
}
