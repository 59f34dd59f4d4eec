import { UsageError } from "../errors.ts";

/** Where sampling timesteps lie in the training timesteps 0 to T - 1 (Lin et al. 2023, table 2). */
export type TimestepSpacing = "leading" | "trailing" | "linspace";

/**
 * `steps` timesteps in descending order.
 *
 * leading: i floor(T / steps) + offset; trailing: round(T - i T / steps) - 1; linspace: evenly from T - 1 to 0, not
 * rounded. The offset counts for "leading" only, as in diffusers.
 * @throws UsageError when `steps` is not a whole number from 1 to T
 */
export function spacedTimesteps(
  spacing: TimestepSpacing,
  trainSteps: number,
  steps: number,
  stepsOffset: number,
): readonly number[] {
  checkSteps(steps, trainSteps);
  switch (spacing) {
    case "leading": {
      const ratio = Math.floor(trainSteps / steps);
      return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + stepsOffset);
    }
    case "trailing": {
      const ratio = trainSteps / steps;
      return Array.from({ length: steps }, (_, i) => roundHalfEven(trainSteps - i * ratio) - 1);
    }
    case "linspace": {
      const gap = (trainSteps - 1) / Math.max(1, steps - 1);
      return Array.from({ length: steps }, (_, i) => (i === 0 && steps > 1 ? trainSteps - 1 : (steps - 1 - i) * gap));
    }
  }
}

/**
 * `steps` whole timesteps in descending order for solvers that count the clean end as a timestep of its own.
 *
 * leading and linspace: those of `steps` + 1 timesteps without the last, rounded; trailing: as `spacedTimesteps`.
 * @throws UsageError when `steps` is not a whole number from 1 to T - 1
 */
export function solverTimesteps(
  spacing: TimestepSpacing,
  trainSteps: number,
  steps: number,
  stepsOffset: number,
): readonly number[] {
  checkSteps(steps, trainSteps - 1);
  if (spacing === "trailing") return spacedTimesteps(spacing, trainSteps, steps, stepsOffset);
  return spacedTimesteps(spacing, trainSteps, steps + 1, stepsOffset)
    .slice(0, -1)
    .map(roundHalfEven);
}

/** To the nearest whole number, halves to the even one, as numpy rounds. */
export function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * The end of a timetable that image-to-image with a strength keeps: floor(steps x strength) of them, but at least one.
 * @throws UsageError when the strength is not in (0, 1]
 */
export function keepByStrength(timesteps: readonly number[], strength: number): readonly number[] {
  checkStrength(strength);
  const kept = Math.max(1, Math.floor(timesteps.length * strength));
  return timesteps.slice(timesteps.length - kept);
}

/** The timesteps that a latent consistency model was distilled on, ascending: k - 1, 2k - 1, ..., k = floor(T / steps). */
export function lcmGrid(trainSteps: number, originalSteps: number): readonly number[] {
  const k = Math.floor(trainSteps / originalSteps);
  return Array.from({ length: originalSteps }, (_, i) => k * (i + 1) - 1);
}

/** What the timetable of a latent consistency model depends on. */
export interface LcmTimetable {
  /** T, training timesteps of the noise schedule. */
  readonly trainSteps: number;
  /** Timesteps of the grid that the model was distilled on. */
  readonly originalSteps: number;
  /** Timesteps wanted. */
  readonly steps: number;
  /** Image-to-image: how far up the grid to start, in (0, 1]; 1 is from pure noise. */
  readonly strength: number;
}

/**
 * Timesteps of latent consistency sampling, descending: `steps` evenly spread over the lower `strength` of the grid.
 *
 * The grid's first L = floor(originalSteps x strength) timesteps from above, at floor(i L / steps): 999, 759, 499, 259
 * for four steps.
 * @throws UsageError when there are not enough grid timesteps for the steps
 */
export function lcmTimesteps({ trainSteps, originalSteps, steps, strength }: LcmTimetable): readonly number[] {
  checkSteps(steps, trainSteps);
  checkStrength(strength);
  checkOriginalSteps(originalSteps, trainSteps);
  if (steps > originalSteps) {
    throw new UsageError(
      `${steps} steps are more than the ${originalSteps} timesteps the model was distilled on; use at most ${originalSteps}.`,
    );
  }
  const available = Math.floor(originalSteps * strength);
  if (available < steps) {
    throw new UsageError(
      `Strength ${strength} of ${originalSteps} distillation timesteps leaves ${available}, too few for ${steps} steps; ` +
        `use at most ${Math.max(available, 1)} step(s) or a strength of at least ${steps / originalSteps}.`,
    );
  }
  const descending = lcmGrid(trainSteps, originalSteps).slice(0, available).reverse();
  return Array.from({ length: steps }, (_, i) => descending[Math.floor(i * (available / steps))]!);
}

/**
 * Timesteps the user chose, checked; with a strength below 1 only their end is kept, at least one.
 * @throws UsageError when they are not strictly descending whole numbers from below T to 0, or there is none
 */
export function customTimesteps(timesteps: readonly number[], trainSteps: number, strength: number): readonly number[] {
  if (timesteps.length === 0) throw new UsageError("The list of timesteps is empty; give at least one.");
  for (const [i, t] of timesteps.entries()) {
    if (!Number.isInteger(t) || t < 0 || t >= trainSteps) {
      throw new UsageError(`Timestep ${t} is not a whole number from 0 to ${trainSteps - 1}.`);
    }
    const before = timesteps[i - 1];
    if (before !== undefined && t >= before) {
      throw new UsageError(`Timesteps must be in strictly descending order, but ${t} follows ${before}.`);
    }
  }
  return keepByStrength(timesteps, strength);
}

/** What is unusual about chosen timesteps of a latent consistency model, one sentence each; empty when nothing is. */
export function customTimestepWarnings(
  timesteps: readonly number[],
  { trainSteps, originalSteps, strength }: Omit<LcmTimetable, "steps">,
): readonly string[] {
  const warnings: string[] = [];
  if (strength === 1 && timesteps[0] !== trainSteps - 1) {
    warnings.push(
      `The first timestep is ${timesteps[0]}, not ${trainSteps - 1}: sampling does not start from pure noise.`,
    );
  }
  const grid = new Set(lcmGrid(trainSteps, originalSteps));
  const outside = timesteps.filter((t) => !grid.has(t));
  if (outside.length > 0) warnings.push(`The model was not distilled on the timesteps ${outside.join(", ")}.`);
  if (timesteps.length > originalSteps) {
    warnings.push(`${timesteps.length} timesteps are more than the ${originalSteps} the model was distilled on.`);
  }
  return warnings;
}

function checkSteps(steps: number, trainSteps: number): void {
  if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps) {
    throw new UsageError(`The number of steps is ${steps}, but it must be a whole number from 1 to ${trainSteps}.`);
  }
}

function checkStrength(strength: number): void {
  if (!(strength > 0 && strength <= 1)) {
    throw new UsageError(`The strength is ${strength}, but it must be above 0 and at most 1.`);
  }
}

function checkOriginalSteps(originalSteps: number, trainSteps: number): void {
  if (!Number.isInteger(originalSteps) || originalSteps < 1 || originalSteps > trainSteps) {
    throw new UsageError(
      `The number of distillation timesteps is ${originalSteps}, but it must be a whole number from 1 to ${trainSteps}.`,
    );
  }
}
