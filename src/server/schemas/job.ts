import { z } from "@hono/zod-openapi";
import { type ShownRequest, shownRequestSchema } from "./draw-request.ts";

export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";

export const jobStates: readonly JobState[] = ["waiting", "running", "done", "failed", "cancelled"];

/** What was wrong: the request, the engine, the time it took, a machine that was lost, or anything else. */
export type FailureKind = "invalid" | "crashed" | "timeout" | "interrupted" | "failed";

export const failureKinds: readonly FailureKind[] = ["invalid", "crashed", "timeout", "interrupted", "failed"];

/** Why a job failed, in one sentence. */
export interface JobFailure {
  readonly kind: FailureKind;
  readonly message: string;
}

/** A drawn picture of a job. */
export interface ShownPicture {
  /** From 0. */
  readonly number: number;
  readonly seed: number;
  /** Address of the PNG, which holds its settings. */
  readonly url: string;
  /** The settings as image programs write them. */
  readonly settings: string;
}

/** A job as it is shown. Times are ISO 8601. */
export interface ShownJob {
  readonly id: string;
  readonly state: JobState;
  readonly priority: number;
  readonly created: string;
  readonly started?: string | undefined;
  readonly finished?: string | undefined;
  /** How often it was begun: more than once when a machine was lost. */
  readonly attempts: number;
  readonly request: ShownRequest;
  readonly pictures: readonly ShownPicture[];
  readonly warnings: readonly string[];
  readonly error?: JobFailure | undefined;
}

export const stateSchema: z.ZodType<JobState> = z.literal(jobStates);

const picture = z.object({ number: z.int(), seed: z.int(), url: z.string(), settings: z.string() }).openapi("Picture");
const failure = z.object({ kind: z.literal(failureKinds), message: z.string() }).openapi("JobFailure");

export const jobSchema: z.ZodType<ShownJob> = z
  .object({
    id: z.string(),
    state: stateSchema,
    priority: z.int(),
    created: z.string(),
    started: z.string().optional(),
    finished: z.string().optional(),
    attempts: z.int(),
    request: shownRequestSchema,
    pictures: z.array(picture),
    warnings: z.array(z.string()),
    error: failure.optional(),
  })
  .openapi("Job");

/** What is wrong with a request, in the own API's form. */
export interface ShownProblem {
  readonly error: { readonly kind: string; readonly message: string; readonly field?: string | undefined };
}

export const problemSchema: z.ZodType<ShownProblem> = z
  .object({ error: z.object({ kind: z.string(), message: z.string(), field: z.string().optional() }) })
  .openapi("Problem");
