import type { JobFailure, JobState } from "../schemas/job.ts";
import type { Job, JobListener, NewJob, PictureRecord } from "./job.ts";

/** Which jobs to list; the newest come first. */
export interface JobFilter {
  readonly state?: JobState;
  readonly limit: number;
}

/** Jobs as those see them who hand them in. */
export interface JobQueue {
  /** @throws Problem `full` when there is no place */
  add(job: NewJob): Promise<Job>;
  find(id: string): Promise<Job | undefined>;
  list(filter: JobFilter): Promise<readonly Job[]>;
  /** Takes back a job that waits, stops one that is drawn, leaves one that is finished; undefined when there is none. */
  cancel(id: string): Promise<Job | undefined>;
  /** The PNG of a picture, by the job's key. */
  picture(pictureKey: string, number: number): Promise<Uint8Array | undefined>;
  /** Tells of what happens to a job from now on, until the returned function is called. */
  follow(id: string, listener: JobListener): () => void;
  counts(): Promise<Readonly<Record<JobState, number>>>;
  close(): Promise<void>;
}

/** A job in the hands of one who draws it. When the machine is lost, the job is begun again, elsewhere or later. */
export interface Work {
  readonly job: Job;
  /** Aborted when the job is cancelled. */
  readonly signal: AbortSignal;
  /** Whether it must not be drawn with others, as a breakdown in company was. */
  readonly alone: boolean;
  report(event: Parameters<JobListener>[0]): void;
  keep(picture: PictureRecord, png: Uint8Array): Promise<void>;
  done(warnings: readonly string[]): Promise<void>;
  fail(failure: JobFailure, warnings?: readonly string[]): Promise<void>;
  cancelled(): Promise<void>;
  /** Puts the job back; it keeps its place. */
  release(options: { readonly alone: boolean }): Promise<void>;
}

/** Jobs as those see them who draw. */
export interface WorkSource {
  /** The job whose turn it is, or the next that comes; undefined once the signal is aborted. */
  take(signal: AbortSignal): Promise<Work | undefined>;
  /** Waiting jobs of a batch key that may be drawn with others, for at most so many pictures. */
  takeLike(batchKey: string, mostPictures: number): Promise<readonly Work[]>;
}
