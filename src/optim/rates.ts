/** Factor in [0, 1] by which a step's rate differs from the full one; `step` counts the steps done before. */
export type RateSchedule = (step: number) => number;

/** Always the full rate. */
export const constantRate: RateSchedule = () => 1;

/**
 * Rises in a straight line over the first `steps` steps: 1/steps at the first, the full rate from step `steps` - 1 on.
 */
export function linearWarmUp(steps: number): RateSchedule {
  return (step) => (step + 1 >= steps ? 1 : (step + 1) / steps);
}

/** Half a cosine from the full rate at step `begin` to `lowest` at step `end` and after. */
export function cosineDecay(begin: number, end: number, lowest = 0): RateSchedule {
  return (step) => {
    const passed = Math.min(1, Math.max(0, (step - begin) / Math.max(1, end - begin)));
    return lowest + (1 - lowest) * 0.5 * (1 + Math.cos(Math.PI * passed));
  };
}

/** The full rate for two thirds of `total` steps, then a straight line down to `lowest` at the last step. */
export function decayOverLastThird(total: number, lowest = 0.01): RateSchedule {
  const begin = Math.floor((2 * total) / 3);
  return (step) => {
    const passed = Math.min(1, Math.max(0, (step - begin) / Math.max(1, total - 1 - begin)));
    return 1 - (1 - lowest) * passed;
  };
}

/** The product of several schedules, e.g. of a warm-up and a decay. */
export function product(...schedules: readonly RateSchedule[]): RateSchedule {
  return (step) => schedules.reduce((factor, schedule) => factor * schedule(step), 1);
}
