import type { JobFailure, JobState } from "../schemas/job.ts";
import type { Job, PictureRecord } from "./job.ts";

/** A row of the table of jobs. */
export interface JobRow {
  readonly sequence: number;
  readonly id: string;
  readonly picture_key: string;
  readonly state: JobState;
  readonly priority: number;
  readonly request: string;
  readonly batch_key: string | null;
  readonly count: number;
  readonly alone: number;
  readonly created: number;
  readonly started: number | null;
  readonly finished: number | null;
  readonly attempts: number;
  readonly warnings: string;
  readonly error: string | null;
}

export function jobOfRow(row: JobRow, pictures: readonly PictureRecord[]): Job {
  return {
    id: row.id,
    pictureKey: row.picture_key,
    state: row.state,
    priority: row.priority,
    request: JSON.parse(row.request) as Job["request"],
    batchKey: row.batch_key ?? undefined,
    created: row.created,
    started: row.started ?? undefined,
    finished: row.finished ?? undefined,
    attempts: row.attempts,
    pictures,
    warnings: JSON.parse(row.warnings) as string[],
    error: row.error === null ? undefined : (JSON.parse(row.error) as JobFailure),
  };
}
