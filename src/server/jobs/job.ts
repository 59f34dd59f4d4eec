import type { SettledRequest } from "../schemas/draw-request.ts";
import type { JobFailure, JobState } from "../schemas/job.ts";

/** What a queue holds of a picture beside its bytes. */
export interface PictureRecord {
  readonly number: number;
  readonly seed: number;
  readonly settings: string;
}

/** A job as a queue holds it. Times are milliseconds since 1970. */
export interface Job {
  readonly id: string;
  /** In the addresses of its pictures; who knows it sees them, so it stands in no log. */
  readonly pictureKey: string;
  readonly state: JobState;
  readonly priority: number;
  readonly request: SettledRequest;
  /** What jobs have in common that may be drawn in one network call; undefined for those that are drawn alone. */
  readonly batchKey: string | undefined;
  readonly created: number;
  readonly started: number | undefined;
  readonly finished: number | undefined;
  readonly attempts: number;
  readonly pictures: readonly PictureRecord[];
  readonly warnings: readonly string[];
  readonly error: JobFailure | undefined;
}

/** A job to be queued. */
export interface NewJob {
  readonly request: SettledRequest;
  readonly priority: number;
  /** Two jobs of one id are one: the second is not queued. Random unless given. */
  readonly id?: string;
}

/** What happens to a job while it is drawn. */
export type JobEvent =
  | { readonly kind: "state"; readonly state: JobState }
  | {
      readonly kind: "step";
      readonly picture: number;
      /** From 1. */
      readonly step: number;
      readonly steps: number;
      /** A PNG. */
      readonly preview?: Uint8Array;
    }
  | { readonly kind: "picture"; readonly picture: number };

export type JobListener = (event: JobEvent) => void;

export const isFinal = (state: JobState): boolean => state === "done" || state === "failed" || state === "cancelled";
