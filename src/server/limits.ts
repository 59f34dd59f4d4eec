import { Problem } from "./problem.ts";
import type { DrawRequest } from "./schemas/draw-request.ts";

/** What one request may cost. */
export interface Limits {
  /** Pixels of a picture's longer side. */
  readonly side: number;
  readonly steps: number;
  /** Pictures of a job. */
  readonly count: number;
  readonly bodyBytes: number;
  /** Jobs that wait. */
  readonly queue: number;
  /** How long drawing a job may take. */
  readonly jobSeconds: number;
  /** How long a client waits for pictures that it asked for without a job. */
  readonly waitSeconds: number;
  /** Finished jobs that are kept, with their pictures. */
  readonly kept: number;
  readonly keptSeconds: number;
}

export const limitDefaults: Limits = {
  side: 1024,
  steps: 100,
  count: 16,
  bodyBytes: 20 * 2 ** 20,
  queue: 100,
  jobSeconds: 600,
  waitSeconds: 600,
  kept: 1000,
  keptSeconds: 24 * 3600,
};

/** @throws Problem `invalid` naming the field that asks for more than is allowed */
export function checkLimits({ size, steps, count }: DrawRequest, limits: Limits): void {
  const side = Math.max(size?.width ?? 0, size?.height ?? 0);
  if (side > limits.side) {
    throw new Problem("invalid", `A side of ${side} pixels is more than the ${limits.side} that this server draws.`, {
      field: "size",
    });
  }
  if (steps !== undefined && steps > limits.steps) {
    throw new Problem("invalid", `${steps} steps are more than the ${limits.steps} that this server draws.`, {
      field: "steps",
    });
  }
  if (count > limits.count) {
    throw new Problem(
      "invalid",
      `${count} pictures are more than the ${limits.count} that this server draws at once.`,
      {
        field: "count",
      },
    );
  }
}
