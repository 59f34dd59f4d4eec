import { z } from "@hono/zod-openapi";
import { drawRequestSchema } from "./draw-request.ts";

export const jobStates = ["waiting", "running", "done", "failed", "cancelled"] as const;

export type JobState = (typeof jobStates)[number];

/** Why a job failed: what was asked cannot be done, the engine broke down, it took too long, or anything else. */
export const failureKinds = ["invalid", "crashed", "timeout", "interrupted", "failed"] as const;

export const failureSchema = z
  .object({ kind: z.enum(failureKinds), message: z.string() })
  .openapi("JobFailure", { description: "why a job failed, in one sentence" });

export type JobFailure = z.output<typeof failureSchema>;

/** Jobs of higher priority are drawn first; those of one priority in the order in which they came. */
export const prioritySchema = z.int().min(-100).max(100).default(0);

/** What is sent to hand in a job. */
export const newJobSchema = drawRequestSchema.extend({ priority: prioritySchema }).openapi("NewJob");

/** A drawn picture of a job. */
export const pictureSchema = z
  .object({
    number: z.int().openapi({ description: "from 0" }),
    seed: z.int(),
    url: z.string().openapi({ description: "address of the PNG, which holds its settings" }),
    settings: z.string().openapi({ description: "the settings as image programs write them" }),
  })
  .openapi("Picture");

/** A job as it is shown. */
export const jobSchema = z
  .object({
    id: z.string(),
    state: z.enum(jobStates),
    priority: z.int(),
    created: z.string().openapi({ description: "ISO 8601, as the other times" }),
    started: z.string().optional(),
    finished: z.string().optional(),
    attempts: z.int().openapi({ description: "how often it was begun: more than once when a machine was lost" }),
    request: drawRequestSchema.omit({ init: true, mask: true }),
    pictures: z.array(pictureSchema),
    warnings: z.array(z.string()),
    error: failureSchema.optional(),
  })
  .openapi("Job");

export type ShownJob = z.output<typeof jobSchema>;
