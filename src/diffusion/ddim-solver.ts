import { UsageError } from "../errors.ts";
import { type DdimCoefficients, ddimCoefficients } from "./ddim-step.ts";
import { alphaBarAt, type NoiseSchedule } from "./schedule.ts";
import { lcmGrid } from "./timesteps.ts";

/** One skip of the distillation grid, t_{n+k} to t_n. */
export interface SolverStep {
  /** t_{n+k}, where the student stands. */
  readonly start: number;
  /** t_n, where the target stands: `start` - k, at least 0. */
  readonly end: number;
  /** The teacher's DDIM step Psi from `start` to `end`, deterministic. */
  readonly coefficients: DdimCoefficients;
}

/**
 * The steps of the ODE solver Psi in distillation: DDIM on the grid of `gridSteps` timesteps, in ascending order.
 *
 * Grid timesteps are k - 1, 2k - 1, ..., T - 1 with k = floor(T / gridSteps); the first step ends at timestep 0 with
 * alphaBar_0, not at 1, as in the published training.
 * @throws UsageError when the grid has more timesteps than the schedule
 */
export function ddimSolver(schedule: NoiseSchedule, gridSteps: number): readonly SolverStep[] {
  if (gridSteps > schedule.trainSteps) {
    throw new UsageError(
      `The distillation grid has ${gridSteps} timesteps, but the noise schedule has only ${schedule.trainSteps}.`,
    );
  }
  const grid = lcmGrid(schedule.trainSteps, gridSteps);
  return grid.map((start, n) => {
    const end = n === 0 ? 0 : grid[n - 1]!;
    return { start, end, coefficients: ddimCoefficients(alphaBarAt(schedule, start), alphaBarAt(schedule, end), 0) };
  });
}
